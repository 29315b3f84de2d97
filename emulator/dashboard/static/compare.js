// Shows the fields of a request that changes something only where there is one, and leads to what was found.

const method = document.getElementById("method");
const writing = document.querySelector(".writing");

function toggle() {
  writing.hidden = ["GET", "HEAD"].includes(method.value);
}

method.addEventListener("change", toggle);
toggle();
document.getElementById("question").addEventListener("submit", (event) => {
  event.submitter.disabled = true;
  event.submitter.textContent = "Asking …";
});
document.getElementById("found")?.focus({ preventScroll: true });
