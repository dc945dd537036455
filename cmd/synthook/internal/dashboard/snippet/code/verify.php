<?php
// $rawBody: the bytes as they came, file_get_contents('php://input'), before any JSON parser.
function verify(string $secret, string $rawBody, string $signature): bool
{
    $digest = hash_hmac('sha256', $rawBody, $secret, true);
    $expected = rtrim(strtr(base64_encode($digest), '+/', '-_'), '=');
    return hash_equals($expected, $signature);
}

// SECRET=… SIGNATURE=… php verify.php < body.json
$ok = verify(getenv('SECRET'), stream_get_contents(STDIN), (string) getenv('SIGNATURE'));
echo $ok ? "genuine\n" : "refused\n";
exit($ok ? 0 : 1);
