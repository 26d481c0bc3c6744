<?php
/**
 * Connecting failed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** The message is a translated sentence for the merchant: what is wrong and what to do. No credentials in it. */
final class ConnectError extends \RuntimeException {}
