// Swagger UI over the description that the page names.
"use strict";

SwaggerUIBundle({
  url: document.getElementById("reference").dataset.url,
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // Without it Swagger UI would ask a validator on the internet.
  validatorUrl: null,
});
