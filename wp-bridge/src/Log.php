<?php
/**
 * The plugin's log.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Throwable;

/**
 * Writes to WooCommerce's log with the source tillsync-bridge. Messages name orders and customers by id only. They contain no names, no
 * emails, no credentials and no request bodies. Logging never throws, even without WooCommerce or with an unwritable log.
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

	/** Logs an unexpected error by its class, file and line. The error's message may quote values of the shop, so it is not logged. */
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
			// The log itself failed, so the failure cannot be logged.
			unset( $ignored );
		}
	}
}
