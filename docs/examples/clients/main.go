package main

import (
	"context"
	"fmt"
	"os"

	"voice/client"
)

func main() {
	voice := client.New(client.Config{
		ServerURL: os.Getenv("VOICE_API_URL"),
		Auth:      client.Auth{Bearer: func() string { return os.Getenv("VOICE_API_KEY") }},
	})
	list, err := voice.ListAgents(context.Background())
	if err != nil {
		panic(err)
	}
	call := client.NewCall{Phone: "+12025550100", Agent: list.Agents[0].Key}
	created, err := voice.CreateCall(context.Background(), call)
	if err != nil {
		panic(err) // a *client.APIError, whose Body is the problem
	}
	fmt.Println(created.CallId)
}
