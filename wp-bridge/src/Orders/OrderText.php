<?php
/**
 * A text of an order.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Made fit for the service: what a shopper typed, or a plugin left behind, is no reason to refuse an order. */
final class OrderText {

	/** One line of at most so many characters: valid UTF-8, entities decoded once, control characters and runs of white space one space. */
	public static function tidied( string $text, int $most ): string {
		if ( ! mb_check_encoding( $text, 'UTF-8' ) ) {
			$text = mb_convert_encoding( $text, 'UTF-8', 'Windows-1252' );
		}
		$text = html_entity_decode( $text, ENT_QUOTES | ENT_HTML5, 'UTF-8' );
		$text = (string) preg_replace( '/[\s\p{Cc}\x{2028}\x{2029}]+/u', ' ', $text );
		return rtrim( mb_substr( trim( $text ), 0, $most ) );
	}

	/** Without control characters and white space at the ends. Never shortened: an email is a key. */
	public static function tidied_email( string $text ): string {
		return trim( (string) preg_replace( '/\p{Cc}+/u', ' ', wp_check_invalid_utf8( $text, true ) ) );
	}
}
