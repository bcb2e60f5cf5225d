"""One settings file; the environment is the variant, and a bad value stops the start with its name."""

from django.core.exceptions import ImproperlyConfigured

from funnel.installation import (
    BASE_DIR,
    DATA,
    DATABASES,
    HOST,
    HTTPS,
    KEEP_PLANS,
    LOGGING,
    PORT,
    PUBLIC,
    PUBLIC_URL,
    SECRET_KEY,
    SQLITE,
    env,
)

__all__ = ["DATABASES", "KEEP_PLANS", "LOGGING", "PORT", "SECRET_KEY", "SQLITE"]  # they are read from here

REDIS_URL = env.str("REDIS_URL", default="")
EMAIL_URL = env.str("EMAIL_URL", default="")
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
# Forms a minute from one address, and into one form from everywhere; 0 takes a limit away.
FORM_LIMITS = (env.int("FORM_LIMIT_PER_ADDRESS", default=120), env.int("FORM_LIMIT", default=6000))
# Requests a minute with one API key; 0 takes the limit away.
API_LIMIT = env.int("API_LIMIT", default=30_000)

DEBUG = False
# Whether links lead to this machine only, so that nobody else can open them.
ONLY_HERE = PUBLIC.hostname == "localhost" or str(PUBLIC.hostname).startswith(("127.", "::1"))
# On an office network people reach the same process under several names, so only a public address narrows this.
ALLOWED_HOSTS = [PUBLIC.hostname, "localhost", "127.0.0.1", "[::1]"]
if env.str("PUBLIC_URL", default="") == "" and HOST not in ("127.0.0.1", "localhost"):
    ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "funnel", "marketing", "sales", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "django.contrib.humanize", "django.forms",
    "template_partials", "django_htmx", "allauth", "allauth.account", "axes", "rest_framework", "drf_spectacular",
    "csp",
]  # fmt: skip

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware",
    "funnel.headers.PolicyMiddleware", "funnel.api.errors.TroubleMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware", "allauth.account.middleware.AccountMiddleware",
    "funnel.workspaces.again.AgainMiddleware", "funnel.workspaces.gate.MemberMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware", "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware", "axes.middleware.AxesMiddleware",
]  # fmt: skip

ROOT_URLCONF = "funnel.urls"
WSGI_APPLICATION = "funnel.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "funnel.overview.navigation.shell",
            ],
            "builtins": ["funnel.templatetags.baton"],
        },
    }
]
FORM_RENDERER = "funnel.templatetags.inputs.Renderer"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIGRATION_MODULES: dict[str, str] = {}

if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "baton",
            "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "funnel.workspaces.counters.CounterCache",
            "LOCATION": str(DATA / "counters.sqlite3"),
        }
    }

# People and their log-in.
AUTH_USER_MODEL = "funnel.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "funnel.workspaces.login.LoginBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "funnel.people.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "funnel.people.forms.StartForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
# axes counts failed log-ins; a second counter beside it would lock people out at two different moments.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_USERNAME_CALLABLE = "funnel.people.adapter.login_name"
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_IPWARE_PROXY_COUNT = TRUSTED_PROXIES or None
AXES_VERBOSE = False

# Cookies and headers.
SESSION_COOKIE_NAME = "__Host-baton" if HTTPS else "baton"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "funnel.api.errors.csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if HTTPS else None
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # other names under this domain are the business's own affair: they may not speak HTTPS at all
    "security.W008",  # the proxy in front sends people on to HTTPS; from here it would catch the health checks too
    "security.W021",  # being on the browsers' own lists binds the whole domain, so its owner must ask for it
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# As many as a list of 200 columns asks about.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1500
FILE_UPLOAD_HANDLERS = ["funnel.workspaces.uploads.OnDisk"]
UPLOAD_LIMIT = 200 * 1024 * 1024

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "build" / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "build" / "assets"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = DATA / "files"

DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="") or f"Baton <baton@{PUBLIC.hostname}>"
if EMAIL_URL:
    try:
        vars().update(env.email_url_config(EMAIL_URL))
    except (ValueError, KeyError, ImproperlyConfigured):
        raise ImproperlyConfigured(
            "EMAIL_URL can't be read; write it like smtp+tls://user:password@host:587."
        ) from None
EMAIL_TIMEOUT = 20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["funnel.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["funnel.api.permissions.ScopeAndRole"],
    "DEFAULT_PARSER_CLASSES": ["funnel.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "funnel.api.negotiation.PlainNegotiation",
    "EXCEPTION_HANDLER": "funnel.api.errors.problem",
    "DEFAULT_SCHEMA_CLASS": "funnel.api.schema.Described",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {"TITLE": "Baton", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

# What happens after what: event kind -> {short name: handler}. Effects are stored under the short name, so that
# moving code does not strand them. A handler takes (effects, at) of one workspace; see funnel/outbox/drain.py.
_SCORED = (
    "received", "received_batch", "form", "page_view", "email_open", "email_click", "call", "meeting",
    "visit", "promo_event", "contact_request", "edited", "voided", "brought_back", "other",
)  # fmt: skip
EVENT_ROUTES: dict[str, dict[str, str]] = {
    "submitted": {"receive": "marketing.capture.handlers.receive"},
    "source_seen": {"place": "marketing.campaigns.handlers.place"},
    **{kind: {"score": "funnel.handoff.handlers.score"} for kind in _SCORED},
    "handoff_opened": {"notify": "funnel.handoff.handlers.notify", "remind": "funnel.handoff.handlers.remind"},
    "handoff_reminded": {"escalate": "funnel.handoff.handlers.escalate"},
    "handoff_escalated": {"pass_on": "funnel.handoff.handlers.pass_on"},
    "handoff_given_back": {"cool": "funnel.handoff.handlers.cool", "enroll": "marketing.nurture.handlers.enroll"},
    **{kind: {"nurture": "marketing.nurture.handlers.write_next"} for kind in ("nurture_started", "nurture_mailed")},
    "email_reply": {"score": "funnel.handoff.handlers.score", "replied": "marketing.nurture.handlers.replied"},
    "deal_won": {"quote_settle": "sales.negotiation.answers.settle"},
    "deal_lost": {"cool": "funnel.handoff.handlers.cool", "quote_settle": "sales.negotiation.answers.settle"},
    "deal_reopened": {"quote_unsettle": "sales.negotiation.answers.unsettle"},
    "passed_on": {
        "follow": "sales.queue.handlers.follow",
        "deals_follow": "sales.deals.handlers.follow",
        "demos_follow": "sales.demos.handing.follow",
    },
    "demo_booked": {"tell_demo": "sales.demos.letters.tell", "remind_demo": "sales.demos.letters.remind"},
    "demo_moved": {"tell_demo": "sales.demos.letters.tell", "remind_demo": "sales.demos.letters.remind"},
    "demo_cancelled": {"tell_demo": "sales.demos.letters.tell"},
    "demo_missed": {"ask_again": "sales.demos.letters.missed"},
    "asked_again": {"ask": "sales.queue.handlers.ask"},
    "came_again": {"see": "sales.queue.handlers.see"},
    "quote_sent": {"quote_ends": "sales.negotiation.answers.end"},
    "next_step": {"prompt": "sales.queue.handlers.prompt"},
    "time_off": {"away": "funnel.people.away.leave"},
    "day_off": {"day_off": "funnel.handoff.handlers.day_off"},
    "next_step_moved": {"prompt": "sales.queue.handlers.prompt"},
    "week_planned": {
        "weekly": "funnel.overview.weekly.write_letters",
        "next_week": "funnel.overview.weekly.plan_next",
        "keep_clocks": "sales.demos.handlers.keep",
        "set_epoch": "funnel.scoring.handlers.set_epoch",
    },
    "rules_tried": {"fill_basis": "funnel.scoring.handlers.fill_basis"},
    "rules_filled": {"look_ahead": "funnel.handoff.preview.look_ahead"},
    "rules_published": {"judge_all": "funnel.handoff.standing.judge_all"},
    "rules_left": {"forget_basis": "funnel.scoring.handlers.forget_basis"},
    "mail_queued": {"send": "funnel.mail.sending.send"},
    "list_uploaded": {f"{do}_list": f"funnel.transfer.handlers.{do}_list" for do in ("read", "forget")},
    "list_mapped": {"look_through": "funnel.transfer.handlers.look_through"},
    "list_begun": {"bring_in": "funnel.transfer.handlers.bring_in"},
}
# Letters whose link is made when they go, by kind: (message) -> the path, blank where it leads nowhere any more. Who
# has such a link is taken for the person it was sent to, so it is never stored and the mailbox doesn't show it.
MAIL_LINKS: dict[str, str] = {
    **{f"demo-{kind}": "sales.demos.letters.link" for kind in ("booked", "moved", "cancelled", "reminder", "missed")},
    **dict.fromkeys(("quote", "quote-accepted"), "sales.negotiation.links.mailed"),
    **dict.fromkeys(("nurture", "nurture-test"), "marketing.nurture.letters.link"),
}
# What marketing's letters to many need, by kind; see funnel/mail/bulk.py.
MAIL_BULK = {"nurture": "marketing.nurture.letters.BULK", "nurture-test": "marketing.nurture.letters.TEST"}
# Why a letter may not go any more, by kind: (message) -> a sentence, blank where it may; asked until the line is open.
MAIL_WHY_NOT = {
    **dict.fromkeys(("demo-missed", "demo-reminder", "demo-rep-reminder"), "sales.demos.letters.why_not"),
    "nurture": "marketing.nurture.letters.why_not", "quote": "sales.negotiation.links.why_not",
}  # fmt: skip
# What letters carry, by kind: (message) -> funnel.mail.files.File rows.
MAIL_FILES: dict[str, str] = {
    **{f"demo-{kind}": "sales.demos.letters.files" for kind in ("booked", "moved", "cancelled", "rep")},
    **dict.fromkeys(("quote", "quote-accepted"), "sales.negotiation.paper.attached"),
}
_FACTS = [
    "funnel.handoff.facts.holders_follow_stages", "funnel.handoff.facts.handoffs_follow_stages",
    "funnel.scoring.facts.scores_add_up", "funnel.leads.facts.leads_are_found", "funnel.outbox.facts.nothing_is_late",
    "funnel.handoff.facts.outcomes_are_whole", "funnel.leads.facts.arrivals_follow_moves",
    "funnel.ledger.facts.corrections_cancel", "funnel.ledger.facts.bookings_are_worth_their_rate",
    "funnel.workspaces.facts.references_stay", "sales.deals.facts.leads_follow_deals",
    "sales.deals.facts.revenue_follows_deals", "sales.negotiation.facts.quotes_add_up",
    "sales.negotiation.facts.numbers_have_no_gap", "sales.demos.facts.demos_do_not_overlap",
    "marketing.nurture.facts.one_enrollment_each", "marketing.nurture.facts.nobody_suppressed_was_mailed",
]  # fmt: skip
_DEMO = [
    "marketing.capture.demo.verbs", "sales.queue.demo.verbs", "sales.qualification.demo.verbs",
    "sales.close.demo.verbs", "sales.demos.demo.verbs", "sales.negotiation.demo.verbs", "marketing.costs.demo.verbs",
    "sales.targets.demo.verbs", "marketing.nurture.demo.verbs",
]  # fmt: skip
_API = [
    "funnel.overview.api.routes", "funnel.overview.feed.routes", "funnel.overview.vocabulary.routes",
    "funnel.overview.report_api.routes", "funnel.ledger.api.routes", "funnel.people.api.routes",
    "marketing.campaigns.api.routes", "sales.targets.api.routes", "sales.close.api.routes", "sales.deals.api.routes",
    "sales.qualification.api.routes", "sales.negotiation.api.routes", "sales.demos.api.routes",
]  # fmt: skip
_STARTS = [
    "funnel.scoring.actions.start", "funnel.handoff.reasons.start", "marketing.channels.actions.start",
    "marketing.capture.actions.start", "sales.close.actions.start", "sales.qualification.actions.start",
    "funnel.overview.weekly.start",
]  # fmt: skip
_LEAD_PANELS = [
    "funnel.overview.questions.lead_panel", "marketing.nurture.panel.lead_panel",
    "sales.queue.pane.lead_panel", "sales.qualification.views.lead_panel", "sales.customers.page.lead_panel",
    "sales.deals.page.lead_panel", "sales.negotiation.page.lead_panel", "sales.demos.panel.lead_panel",
]  # fmt: skip
# What both ask of a lead at once; the panels take it from there (see funnel/leads/known.py).
_DESK_ASKS = [
    "funnel.overview.questions.ASKED", "sales.qualification.actions.QUESTIONS", "sales.negotiation.page.QUOTES",
    "sales.queue.pane.TASKS", "sales.deals.page.DEALS", "sales.demos.panel.DEMOS", "marketing.nurture.panel.OPEN",
]  # fmt: skip
_DESK_PANELS = [
    "funnel.overview.questions.desk_panel", "sales.demos.panel.desk_panel", "sales.qualification.views.desk_panel",
    "sales.deals.page.desk_panel", "sales.negotiation.page.desk_panel",
]  # fmt: skip
_MEMBER_LEAVES = [
    "sales.queue.actions.hand_tasks", "sales.deals.actions.hand_deals", "sales.demos.handing.hand_demos",
]  # fmt: skip
_LEAVES_SALES = [
    "sales.close.actions.lose_with_lead", "sales.demos.handing.cancel_with_lead", "sales.queue.actions.drop_steps",
]  # fmt: skip
# Where the wings plug in: each name is a list of dotted names of callables; see who reads it for what they take.
SLOTS: dict[str, list[str]] = {
    # (workspace, at): what a new business starts with.
    "workspace_starts": _STARTS,
    # (): the addresses that a part adds under /api/v1/.
    "api_routes": _API,
    # (workspace, member, at): steps of the checklist of a new business; see funnel/people/checklist.py.
    "checklist": ["marketing.capture.checklist.steps"],
    # (request): what a wing has to know for the owner's home, {name: (rows, column)}; funnel/workspaces/tally.py counts
    # it, and whatever else is plugged into the home gets the counts in `known`, a funnel.overview.known.Known.
    "home_counts": ["marketing.reports.cards.counted", "sales.reports.cards.counted"],
    # (request, known): {"template", "context", "below"} of what the owner's home begins with, or None; the first that
    # has something. What is "below" is the last card, or None.
    "home_headline": ["sales.reports.cards.headline"],
    # (request, known): {"icon", "what", "meta", "url", "does"}, a line of "Needs you" on the owner's home, or None.
    "home_needs": ["marketing.reports.cards.held_back", "marketing.questions.views.asked"],
    # (request, known): {"template", "context"} of a card on the owner's home, or None; its period is months.asked.
    "home_cards": ["sales.negotiation.listing.running_out_card", "marketing.reports.cards.channels_of_the_period"],
    # (request): {"template", "context"} of a card on a rep's own month, or None.
    "month_cards": ["sales.negotiation.listing.my_card"],
    # (workspace, week, at): what a part of the house says in the owner's weekly letter; see funnel/overview/weekly.py.
    "weekly": ["funnel.overview.weekly.of_the_hall", "sales.reports.weekly.of_sales"],
    # (workspace): what the open deals are worth: {"stages": by stage, "all": together}.
    "stage_values": ["sales.reports.cards.open_by_stage"],
    # What is next with leads that sales has, as funnel.overview.rows.Next; of two the later is shown.
    "lead_next": ["sales.queue.nexts.NEXT", "sales.demos.panel.NEXT"],
    # (workspace): what a wing can do in the demo business, verb by name.
    "demo": _DEMO,
    # (): the channels as (key, name) and the campaigns that somebody can come from.
    "origins": ["marketing.channels.origins.origins"],
    # (words): which campaign each of them names, as sources say it.
    "campaigns_meant": ["marketing.channels.origins.campaigns_meant"],
    # (workspace, at): yields (fact, sentence) for each difference that check_facts finds.
    "facts": _FACTS,
    # (request, lead): a panel of the lead's page, {"side", "template", "context", "actions"}, or None.
    "lead_panels": _LEAD_PANELS,
    # Queries by a lead's id, of funnel.workspaces.asking.Asked, that page and desk ask in one statement for the panels.
    "lead_asks": [*_DESK_ASKS, "marketing.nurture.panel.LATEST"],
    "desk_asks": _DESK_ASKS,
    # (member, at): what other rooms of sales plan, as sales.queue.desk.Planned.
    "desk_rows": ["sales.demos.fallen.desk_rows", "sales.demos.panel.desk_rows"],
    # (request, lead): what stands under the lead on the desk, {"template", "context"}, or None.
    "desk_panels": _DESK_PANELS,
    # (request, deal): a panel of the deal's page, {"template", "context"}, or None.
    "deal_panels": ["sales.negotiation.page.deal_panel"],
    # (deal): what an accepted quote comes to, {"amount", "currency", "says"}, or None.
    "won_for": ["sales.negotiation.page.won_for"],
    # (spans, workspace, at): what is booked in each of some spans of days; see funnel/people/away_views.py.
    "booked_on": ["sales.demos.days_off.booked_on"],
    # (member, successor or None, at): after the leads of somebody who leaves went to others.
    "member_leaves": _MEMBER_LEAVES,
    # (lead, reason, by, at): inside the verb that gives a locked lead back to marketing, or sets it aside.
    "leaves_sales": _LEAVES_SALES,
    # (lead, due_at, at): inside the verb by which somebody takes a locked customer who asked for contact.
    "customer_taken": ["sales.queue.actions.call_customer"],
    # (lead_ids, to, at): inside the move that takes leads away from marketing.
    "leaves_marketing": ["marketing.nurture.actions.leave"],
    # (lead): why it would get no nurture mails once sales gives it back, in words; blank where it would.
    "no_nurture": ["marketing.nurture.panel.none_after"],
    # (lead_ids): those with whom sales is in the middle of something, so that a wish for contact is no new handoff.
    "busy_with": ["sales.deals.facts.busy_with"],
    # (lead_ids): who had the latest deal with each lead, by lead.
    "dealt_with": ["sales.deals.facts.dealt_with"],
}
