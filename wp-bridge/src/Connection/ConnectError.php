<?php
/**
 * The error of a failed connect.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** Carries a translated sentence for the merchant: the cause and the remedy. It contains no credentials. */
final class ConnectError extends \RuntimeException {

	/** @param string $detail The service's English message for its operator; empty where the message is complete. */
	public function __construct( string $message, public readonly string $detail = '' ) {
		parent::__construct( $message );
	}
}
