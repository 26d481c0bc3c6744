<?php
/**
 * The key of confirmations.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

/**
 * Holds a random secret of this site, created at its first use. It hashes confirmed emails and signs links. The secrets of wp-config.php do
 * not fit, because they may change and confirmations stay.
 */
class ConfirmationKey {

	private const OPTION = 'tillsync_bridge_confirmation_key';

	/**
	 * Returns the hash under which a confirmation is stored, so that the email is not stored a second time. It ignores case, as WordPress
	 * does.
	 */
	public function hash( string $email ): string {
		return $this->sign( 'email', strtolower( trim( $email ) ) );
	}

	/** Returns a signature of 64 hex digits. A signature for one purpose is invalid for another. */
	public function sign( string $purpose, string $text ): string {
		return hash_hmac( 'sha256', $purpose . '|' . $text, $this->key() );
	}

	private function key(): string {
		$key = get_option( self::OPTION );
		if ( ! is_string( $key ) || 64 !== strlen( $key ) ) {
			add_option( self::OPTION, bin2hex( random_bytes( 32 ) ), '', false );
			// Of two concurrent requests, the first one's key is stored.
			wp_cache_delete( self::OPTION, 'options' );
			$key = (string) get_option( self::OPTION );
		}
		return $key;
	}
}
