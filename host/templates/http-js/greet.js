// What is answered. It knows nothing of WASI, so that it can be tested under Node.js.
export function greet(_path) {
  return "hello, world\n";
}
