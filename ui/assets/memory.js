// What a browser remembers: the tab its chat, all tabs a secret by which the visitor is known.
() => {
  const made = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0"));
  try {
    if (!localStorage.getItem("llava-plus-key")) localStorage.setItem("llava-plus-key", made().join(""));
    return [localStorage.getItem("llava-plus-key"), sessionStorage.getItem("llava-plus-chat") || ""];
  } catch {
    return ["", ""]; // storage is switched off: nothing is found again
  }
}
