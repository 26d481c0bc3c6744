<?php
/**
 * The key that confirmations are kept under and links are signed with.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

/** A random secret of this site, made when it is first needed. Not one of wp-config.php's: those change, and confirmations are kept. */
class ConfirmationKey {

	private const OPTION = 'tillsync_bridge_confirmation_key';

	/** What a confirmation is kept for: the email itself is not stored a second time. WordPress compares emails without case. */
	public function hash( string $email ): string {
		return $this->sign( 'email', strtolower( trim( $email ) ) );
	}

	/** 64 hex digits. $purpose: a signature for one is none for another. */
	public function sign( string $purpose, string $text ): string {
		return hash_hmac( 'sha256', $purpose . '|' . $text, $this->key() );
	}

	private function key(): string {
		$kept = get_option( self::OPTION );
		if ( ! is_string( $kept ) || 64 !== strlen( $kept ) ) {
			add_option( self::OPTION, bin2hex( random_bytes( 32 ) ), '', false );
			// Of two requests at once the first one's is kept.
			wp_cache_delete( self::OPTION, 'options' );
			$kept = (string) get_option( self::OPTION );
		}
		return $kept;
	}
}
