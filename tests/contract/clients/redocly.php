<?php
// redocly generate-client, PHP: quickstart, a busy line and three errors.

declare(strict_types=1);

use VoiceApi\ApiError;
use VoiceApi\CallStatus;
use VoiceApi\Client;
use VoiceApi\Completion;
use VoiceApi\Config;
use VoiceApi\NewCall;
use VoiceApi\ProviderStatus;

require __DIR__ . '/client.php';

function expect(bool $holds, string $what): void
{
    if (!$holds) {
        throw new RuntimeException($what);
    }
}

function problem(callable $call): array
{
    try {
        $call();
    } catch (ApiError $error) {
        return (array) $error->body;
    }
    throw new RuntimeException('it is not rejected');
}

function completion(ProviderStatus $status, ?string $transcript, int $duration): Completion
{
    return new Completion('call.completed', 'internal-provider-reference', $status, $transcript, $duration);
}

$config = new Config(serverUrl: getenv('VOICE_API_URL'), auth: ['bearer' => getenv('VOICE_API_KEY')]);
$voice = new Client($config);
$agent = $voice->listAgents()->agents[0]->key;
$created = $voice->createCall(new NewCall('+12025550130', $agent));
expect($voice->getCall($created->callId)->status === CallStatus::Queued, 'a new call is queued');
expect($voice->callCompleted(completion(ProviderStatus::Completed, 'agent: Hello', 120))->received, 'received');
expect($voice->getCall($created->callId)->duration === 120, 'the call has ended');

$busy = $voice->createCall(new NewCall('+12025550130', $agent));
$voice->callCompleted(completion(ProviderStatus::Busy, null, 0));
expect($voice->getCall($busy->callId)->status === CallStatus::Busy, 'the line is busy');

$invalid = problem(fn () => $voice->createCall(new NewCall('123', $agent)));
expect($invalid['status'] === 422 && $invalid['errors'][0]['pointer'] === '/phone', 'a wrong number is named');
$unknown = problem(fn () => $voice->getCall('00000000-0000-4000-8000-000000000000'));
expect($unknown['status'] === 404 && $unknown['code'] === 'call_not_found', 'an unknown call is named');
$conflict = problem(fn () => $voice->callCompleted(completion(ProviderStatus::Failed, null, 0)));
expect($conflict['code'] === 'call_already_ended', 'a second result is rejected');
