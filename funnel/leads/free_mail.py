"""Mail domains that anybody can have an address at, so that they tell no company."""

FREE_MAIL = frozenset(
    """
    gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.co.in yahoo.com.br ymail.com
    rocketmail.com outlook.com outlook.de outlook.fr outlook.es hotmail.com hotmail.co.uk hotmail.de hotmail.fr
    hotmail.it hotmail.es live.com live.co.uk live.de live.fr live.nl msn.com icloud.com me.com mac.com aol.com aol.co.uk
    aim.com proton.me protonmail.com pm.me gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de arcor.de
    mail.com mail.de posteo.de mailbox.org zoho.com zohomail.com yandex.com yandex.ru mail.ru bk.ru inbox.ru list.ru
    rambler.ru qq.com 163.com 126.com sina.com naver.com daum.net hanmail.net rediffmail.com orange.fr wanadoo.fr free.fr
    laposte.net sfr.fr neuf.fr libero.it virgilio.it tiscali.it alice.it tin.it bluewin.ch sunrise.ch btinternet.com
    btopenworld.com sky.com talktalk.net virginmedia.com ntlworld.com blueyonder.co.uk tiscali.co.uk comcast.net verizon.net
    att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com bigpond.com optusnet.com.au
    xtra.co.nz ziggo.nl kpnmail.nl hetnet.nl planet.nl telenet.be skynet.be seznam.cz centrum.cz wp.pl o2.pl onet.pl
    interia.pl abv.bg fastmail.com fastmail.fm hey.com tutanota.com tuta.io duck.com uol.com.br bol.com.br terra.com.br
    """.split()
)
