import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.UUID;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class CallsTest {
    // JUnit makes an object for each test, so each has a key with its own calls and its own clock.
    private final String key = "sandbox_" + UUID.randomUUID();
    private final HttpClient http = HttpClient.newHttpClient();

    private String send(String method, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(System.getenv("VOICE_SANDBOX_URL") + path))
                .header("Authorization", "Bearer " + key)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString(body))
                .build();
        return http.send(request, BodyHandlers.ofString()).body();
    }

    private static String member(String json, String name) {
        var matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        assertTrue(matcher.find(), json);
        return matcher.group(1);
    }

    @Test
    void aBusyLineEndsTheCallAsBusy() throws Exception {
        var agent = member(send("GET", "/v1/agents", ""), "key");
        var body = "{\"phone\": \"+12025550111\", \"agent\": \"%s\"}".formatted(agent);
        var callId = member(send("POST", "/v1/calls", body), "call_id");
        send("POST", "/sandbox/clock", "{\"advance_seconds\": 30}");
        assertEquals("busy", member(send("GET", "/v1/calls/" + callId, ""), "status"));
    }
}
