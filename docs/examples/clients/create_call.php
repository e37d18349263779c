<?php
require __DIR__ . '/client.php';

use VoiceApi\{ApiError, Client, Config, NewCall};

$auth = ['bearer' => getenv('VOICE_API_KEY')];
$voice = new Client(new Config(serverUrl: getenv('VOICE_API_URL'), auth: $auth));
$agent = $voice->listAgents()->agents[0]->key;
try {
    echo $voice->createCall(new NewCall('+12025550100', $agent))->callId, "\n";
} catch (ApiError $error) {
    exit("{$error->body['code']}: {$error->body['detail']}\n");
}
