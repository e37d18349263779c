// redocly generate-client, Go: quickstart, a busy line and three errors.
package main

import (
	"context"
	"errors"
	"os"

	"voice/client"
)

func expect(holds bool, what string) {
	if !holds {
		panic(what)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func problem[T any](_ T, err error) (int, map[string]any) {
	var found *client.APIError
	if !errors.As(err, &found) {
		panic("it is not rejected")
	}
	return found.Status, found.Body.(map[string]any)
}

func completion(status client.ProviderStatus, transcript *string, duration int64) client.Completion {
	return client.Completion{
		EventType:      "call.completed",
		ProviderCallId: "internal-provider-reference",
		Status:         status,
		Transcript:     transcript,
		Duration:       duration,
	}
}

func main() {
	ctx := context.Background()
	voice := client.New(client.Config{
		ServerURL: os.Getenv("VOICE_API_URL"),
		Auth:      client.Auth{Bearer: func() string { return os.Getenv("VOICE_API_KEY") }},
	})
	agent := must(voice.ListAgents(ctx)).Agents[0].Key
	created := must(voice.CreateCall(ctx, client.NewCall{Phone: "+12025550130", Agent: agent}))
	expect(must(voice.GetCall(ctx, created.CallId)).Status == "queued", "a new call is queued")
	words := "agent: Hello"
	expect(must(voice.CallCompleted(ctx, completion("completed", &words, 120))).Received, "received")
	ended := must(voice.GetCall(ctx, created.CallId))
	expect(ended.Status == "completed" && *ended.Duration == 120, "the call has ended")

	busy := must(voice.CreateCall(ctx, client.NewCall{Phone: "+12025550130", Agent: agent}))
	must(voice.CallCompleted(ctx, completion("busy", nil, 0)))
	expect(must(voice.GetCall(ctx, busy.CallId)).Status == "busy", "the line is busy")

	status, invalid := problem(voice.CreateCall(ctx, client.NewCall{Phone: "123", Agent: agent}))
	expect(status == 422 && invalid["code"] == "validation_failed", "a wrong number is rejected")
	status, unknown := problem(voice.GetCall(ctx, "00000000-0000-4000-8000-000000000000"))
	expect(status == 404 && unknown["code"] == "call_not_found", "an unknown call is named")
	status, conflict := problem(voice.CallCompleted(ctx, completion("failed", nil, 0)))
	expect(status == 409 && conflict["code"] == "call_already_ended", "a second result is rejected")
}
