import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
    /** rawBody: the bytes as they came, before any JSON parser. */
    static boolean verify(String secret, byte[] rawBody, String signature) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        String expected = Base64.getUrlEncoder().withoutPadding().encodeToString(mac.doFinal(rawBody));
        return MessageDigest.isEqual(expected.getBytes(StandardCharsets.UTF_8), signature.getBytes(StandardCharsets.UTF_8));
    }

    /** SECRET=… SIGNATURE=… java Verify.java < body.json */
    public static void main(String[] args) throws Exception {
        boolean ok = verify(System.getenv("SECRET"), System.in.readAllBytes(), System.getenv("SIGNATURE"));
        System.out.println(ok ? "genuine" : "refused");
        System.exit(ok ? 0 : 1);
    }
}
