<?php
/**
 * Connecting failed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** The message is a translated sentence for the merchant: what is wrong and what to do. No credentials in it. */
final class ConnectError extends \RuntimeException {

	/** @param string $detail What the service said, in English, for whoever operates it; empty: the message says it all. */
	public function __construct( string $message, public readonly string $detail = '' ) {
		parent::__construct( $message );
	}
}
