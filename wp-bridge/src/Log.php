<?php
/**
 * WooCommerce's log, source tillsync-bridge.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Throwable;

/**
 * Messages for whoever runs the shop. They name orders and customers by id only: no names, no emails, no credentials, no bodies of
 * requests. Logging never throws, not even where WooCommerce is not loaded or its log cannot be written.
 */
class Log {

	private const SOURCE = 'tillsync-bridge';

	public function info( string $message ): void {
		$this->write( 'info', $message );
	}

	public function warning( string $message ): void {
		$this->write( 'warning', $message );
	}

	public function error( string $message ): void {
		$this->write( 'error', $message );
	}

	/** An unexpected error. Its message may quote values of the shop, so only its kind and place are kept. */
	public function failure( string $where, Throwable $error ): void {
		$place = basename( $error->getFile() ) . ':' . $error->getLine();
		$this->write( 'error', sprintf( '%s failed: %s at %s', $where, get_class( $error ), $place ) );
	}

	private function write( string $level, string $message ): void {
		try {
			if ( function_exists( 'wc_get_logger' ) ) {
				wc_get_logger()->log( $level, $message, array( 'source' => self::SOURCE ) );
			}
		} catch ( Throwable $ignored ) { // phpcs:ignore Generic.CodeAnalysis.EmptyStatement.DetectedCatch
			// There is nowhere left to say it.
			unset( $ignored );
		}
	}
}
