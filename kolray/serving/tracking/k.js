/* kolray: counts visits of this page for a campaign. No cookie, nothing kept in the browser.
   <script defer src="https://HOST/k.js" data-kol="KOL" data-campaign="CAMPAIGN" data-consent="1"></script>
   kolray("conversion", {value: 12.5, currency: "EUR"}) reports a conversion; kolray.consent(true) after the visitor agreed. */
(function () {
  "use strict";
  var own = document.currentScript, told = own.dataset, to = new URL("collect", own.src).href;
  var agreed = told.consent === "1" || told.consent === "true";
  function id() {
    return crypto.randomUUID ? crypto.randomUUID() : String(Date.now()) + "-" + Math.random().toString(36).slice(2);
  }
  function send(type, more) {
    var hit = { event_id: id(), event_type: type, url: location.href, consent: agreed };
    if (told.kol) hit.kol_id = told.kol;
    if (told.campaign) hit.campaign_id = told.campaign;
    for (var name in more || {}) hit[name] = more[name];
    var body = JSON.stringify(hit);
    if (!(navigator.sendBeacon && navigator.sendBeacon(to, body))) {
      fetch(to, { method: "POST", body: body, keepalive: true, mode: "no-cors" }).catch(function () {});
    }
  }
  window.kolray = send;
  window.kolray.consent = function (yes) { agreed = Boolean(yes); };
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("[data-kolray-click]");
    if (link) send("click");
  });
  send("impression");
})();
