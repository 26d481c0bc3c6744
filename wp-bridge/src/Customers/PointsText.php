<?php
/**
 * Formatted points, credit and times.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

/** Formats values in the language of the present request and the time zone of the shop. */
final class PointsText {

	/** Formats points: "1234.50" becomes "1,234.5". */
	public static function points( string $decimal ): string {
		return self::number( $decimal, strlen( self::fraction( $decimal ) ) );
	}

	/**
	 * Formats credit: "3.5" becomes "3.50". Money has at least two decimal places. The plugin does not know the till's currency, so the
	 * text names none.
	 */
	public static function credit( string $decimal ): string {
		return self::number( $decimal, max( 2, strlen( self::fraction( $decimal ) ) ) );
	}

	/** Formats a time as the shop's settings write dates, for example "25 November 2026 16:05". */
	public static function time( int $unix_seconds ): string {
		/* translators: 1: date, 2: time of day */
		return sprintf( _x( '%1$s %2$s', 'date and time', 'tillsync-bridge' ), (string) wp_date( (string) get_option( 'date_format' ), $unix_seconds ), (string) wp_date( (string) get_option( 'time_format' ), $unix_seconds ) );
	}

	/** Formats a time for the attribute datetime. */
	public static function machine_time( int $unix_seconds ): string {
		return gmdate( 'Y-m-d\TH:i:s\Z', $unix_seconds );
	}

	private static function number( string $decimal, int $places ): string {
		return CustomerItem::UNKNOWN === $decimal ? '–' : number_format_i18n( (float) $decimal, $places );
	}

	private static function fraction( string $decimal ): string {
		return rtrim( explode( '.', $decimal, 2 )[1] ?? '', '0' );
	}
}
