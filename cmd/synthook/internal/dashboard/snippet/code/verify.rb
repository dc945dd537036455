require "openssl"

# raw_body: the bytes as they came, before any JSON parser.
def verify(secret, raw_body, signature)
  digest = OpenSSL::HMAC.digest("SHA256", secret, raw_body)
  expected = [digest].pack("m0").tr("+/", "-_").delete("=")
  OpenSSL.secure_compare(expected, signature.to_s)
end

# SECRET=… SIGNATURE=… ruby verify.rb < body.json
if __FILE__ == $PROGRAM_NAME
  ok = verify(ENV.fetch("SECRET"), $stdin.binmode.read, ENV["SIGNATURE"])
  puts ok ? "genuine" : "refused"
  exit ok
end
