import base64, hashlib, hmac, os, sys

def verify(secret: str, raw_body: bytes, signature: str) -> bool:
    """raw_body: the bytes as they came, before any JSON parser."""
    digest = hmac.new(secret.encode(), raw_body, hashlib.sha256).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(expected, (signature or "").encode())

# SECRET=… SIGNATURE=… python3 verify.py < body.json
if __name__ == "__main__":
    ok = verify(os.environ["SECRET"], sys.stdin.buffer.read(), os.environ.get("SIGNATURE", ""))
    print("genuine" if ok else "refused")
    sys.exit(0 if ok else 1)
