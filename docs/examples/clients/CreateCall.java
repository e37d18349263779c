package voiceapi;

final class CreateCall {
    public static void main(String[] arguments) {
        Client voice = new Client(new Client.Config()
            .serverUrl(System.getenv("VOICE_API_URL"))
            .auth(new Client.Auth().bearer(System.getenv("VOICE_API_KEY"))));
        String agent = voice.listAgents().agents().get(0).key();
        try {
            System.out.println(voice.createCall(new Client.NewCall("+12025550100", agent)).callId());
        } catch (Client.ApiException problem) {
            System.err.println(problem.body);
        }
    }
}
