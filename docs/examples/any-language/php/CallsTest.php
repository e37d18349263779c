<?php

use PHPUnit\Framework\TestCase;

final class CallsTest extends TestCase
{
    private string $key;

    // Each test has a key of its own, with its own calls and its own clock.
    protected function setUp(): void
    {
        $this->key = 'sandbox_' . bin2hex(random_bytes(12));
    }

    private function send(string $method, string $path, ?array $body = null): array
    {
        $response = file_get_contents(getenv('VOICE_SANDBOX_URL') . $path, false, stream_context_create(['http' => [
            'method' => $method,
            'header' => ["Authorization: Bearer {$this->key}", 'Content-Type: application/json'],
            'content' => $body === null ? '' : json_encode($body),
        ]]));
        return json_decode($response, true, flags: JSON_THROW_ON_ERROR);
    }

    public function testBusyLineEndsTheCallAsBusy(): void
    {
        $agent = $this->send('GET', '/v1/agents')['agents'][0]['key'];
        $call = $this->send('POST', '/v1/calls', ['phone' => '+12025550111', 'agent' => $agent]);
        $this->send('POST', '/sandbox/clock', ['advance_seconds' => 30]);
        $this->assertSame('busy', $this->send('GET', "/v1/calls/{$call['call_id']}")['status']);
    }
}
