package calls

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"testing"
)

// Each test calls newSandbox: a key of its own has its own calls and its own clock.
func newSandbox(t *testing.T) func(method, path string, body any) map[string]any {
	random := make([]byte, 12)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	key := "sandbox_" + hex.EncodeToString(random)
	return func(method, path string, body any) map[string]any {
		t.Helper()
		content := &bytes.Buffer{}
		if body != nil {
			if err := json.NewEncoder(content).Encode(body); err != nil {
				t.Fatal(err)
			}
		}
		request, err := http.NewRequest(method, os.Getenv("VOICE_SANDBOX_URL")+path, content)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var received map[string]any
		if err := json.NewDecoder(response.Body).Decode(&received); err != nil {
			t.Fatal(err)
		}
		return received
	}
}

func TestBusyLineEndsTheCallAsBusy(t *testing.T) {
	t.Parallel()
	send := newSandbox(t)
	agent := send("GET", "/v1/agents", nil)["agents"].([]any)[0].(map[string]any)["key"]
	created := send("POST", "/v1/calls", map[string]any{"phone": "+12025550111", "agent": agent})
	send("POST", "/sandbox/clock", map[string]any{"advance_seconds": 30})
	call := send("GET", "/v1/calls/"+created["call_id"].(string), nil)
	if call["status"] != "busy" {
		t.Errorf("status is %v, not busy", call["status"])
	}
}
