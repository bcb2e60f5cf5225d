// A form in a frame is as high as what is in it. Inside the frame this tells the height; in the page around it, it
// listens. Nothing else is said across the border, and a page without the script keeps the height it was given.
const SAYS = "baton-form-height";

function tell() {
  const say = () => parent.postMessage({ says: SAYS, height: Math.ceil(document.body.getBoundingClientRect().height) }, "*");
  new ResizeObserver(say).observe(document.body);
  say();
}

function listen() {
  addEventListener("message", (event) => {
    const height = Number(event.data?.height);
    if (event.data?.says !== SAYS || !(height > 0 && height < 20000)) return;
    for (const frame of document.querySelectorAll("iframe")) {
      if (frame.contentWindow === event.source) frame.height = height;
    }
  });
}

if (document.documentElement.dataset.framed === undefined) listen();
else if (parent !== window) addEventListener("DOMContentLoaded", tell);
