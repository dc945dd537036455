import { createHmac, timingSafeEqual } from "node:crypto";

// rawBody: the bytes as they came, before any JSON parser.
export function verify(secret, rawBody, signature) {
  const expected = createHmac("sha256", secret).update(rawBody).digest("base64url");
  const a = Buffer.from(expected), b = Buffer.from(String(signature ?? ""));
  return a.length === b.length && timingSafeEqual(a, b);
}

// SECRET=… SIGNATURE=… node verify.mjs < body.json
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const ok = verify(process.env.SECRET, Buffer.concat(chunks), process.env.SIGNATURE);
console.log(ok ? "genuine" : "refused");
process.exitCode = ok ? 0 : 1;
