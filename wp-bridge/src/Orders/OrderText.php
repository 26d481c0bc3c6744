<?php
/**
 * Normalised texts of an order.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Normalises texts for the service, so that no text of a shopper or a plugin makes it refuse an order. */
final class OrderText {

	/**
	 * Returns one line of at most $most characters in valid UTF-8. Entities are decoded once. Control characters and runs of white space
	 * become one space.
	 */
	public static function tidied( string $text, int $most ): string {
		if ( ! mb_check_encoding( $text, 'UTF-8' ) ) {
			$text = mb_convert_encoding( $text, 'UTF-8', 'Windows-1252' );
		}
		$text = html_entity_decode( $text, ENT_QUOTES | ENT_HTML5, 'UTF-8' );
		$text = (string) preg_replace( '/[\s\p{Cc}\x{2028}\x{2029}]+/u', ' ', $text );
		return rtrim( mb_substr( trim( $text ), 0, $most ) );
	}

	/**
	 * Returns an email without control characters and without white space at its ends. It is never shortened, because an email is a key.
	 */
	public static function tidied_email( string $text ): string {
		return trim( (string) preg_replace( '/\p{Cc}+/u', ' ', wp_check_invalid_utf8( $text, true ) ) );
	}
}
