// redocly generate-client, Java: quickstart, a busy line and three errors.
package voiceapi;

import java.util.Map;

final class Quickstart {
    static void expect(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    static Map<?, ?> problem(Runnable call) {
        try {
            call.run();
        } catch (Client.ApiException error) {
            return (Map<?, ?>) error.body;
        }
        throw new IllegalStateException("it is not rejected");
    }

    static Client.Completion completion(Client.ProviderStatus status, String transcript, long duration) {
        return new Client.Completion(
            "call.completed", "internal-provider-reference", status, transcript, duration);
    }

    public static void main(String[] arguments) {
        Client voice = new Client(new Client.Config()
            .serverUrl(System.getenv("VOICE_API_URL"))
            .auth(new Client.Auth().bearer(System.getenv("VOICE_API_KEY"))));
        String agent = voice.listAgents().agents().get(0).key();
        Client.CreatedCall created = voice.createCall(new Client.NewCall("+12025550130", agent));
        expect(voice.getCall(created.callId()).status() == Client.CallStatus.QUEUED, "queued");
        expect(voice.callCompleted(completion(Client.ProviderStatus.COMPLETED, "agent: Hello", 120))
            .received(), "received");
        expect(voice.getCall(created.callId()).duration() == 120, "the call has ended");

        Client.CreatedCall busy = voice.createCall(new Client.NewCall("+12025550130", agent));
        voice.callCompleted(completion(Client.ProviderStatus.BUSY, null, 0));
        expect(voice.getCall(busy.callId()).status() == Client.CallStatus.BUSY, "the line is busy");

        Map<?, ?> invalid = problem(() -> voice.createCall(new Client.NewCall("123", agent)));
        expect(invalid.get("code").equals("validation_failed"), "a wrong number is named");
        Map<?, ?> unknown = problem(() -> voice.getCall("00000000-0000-4000-8000-000000000000"));
        expect(unknown.get("code").equals("call_not_found"), "an unknown call is named");
        Map<?, ?> conflict = problem(
            () -> voice.callCompleted(completion(Client.ProviderStatus.FAILED, null, 0)));
        expect(conflict.get("code").equals("call_already_ended"), "a second result is rejected");
    }
}
