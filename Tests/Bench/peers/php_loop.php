<?php
// php php_loop.php PORT COUNT: a BLPOP loop as PHP projects write it; loses the message in hand when it is killed.
[, $port, $count] = $argv;
$redis = new Redis();
$redis->connect('127.0.0.1', (int) $port);
for ($done = 0; $done < $count;) {
    [, $payload] = $redis->blPop(['sms'], 0);
    $message = json_decode($payload, true, 8, JSON_THROW_ON_ERROR);
    if (isset($message['to'], $message['text']) && ++$done === 1) $redis->set('bench:begun', 1);
}
$redis->set('bench:done', $done);
