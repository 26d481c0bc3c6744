<?php
/**
 * Points, credit and their time, as people read them.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

/** In the language of the present request and the time zone of the shop. */
final class PointsText {

	/** "1234.50" becomes "1,234.5". */
	public static function points( string $decimal ): string {
		return self::number( $decimal, strlen( self::fraction( $decimal ) ) );
	}

	/** "3.5" becomes "3.50": money has two places at least. The till's currency is not known here, so none is named. */
	public static function credit( string $decimal ): string {
		return self::number( $decimal, max( 2, strlen( self::fraction( $decimal ) ) ) );
	}

	/** Such as "25 November 2026 16:05", as the shop's settings write dates. */
	public static function time( int $unix_seconds ): string {
		/* translators: 1: date, 2: time of day */
		return sprintf( _x( '%1$s %2$s', 'date and time', 'tillsync-bridge' ), (string) wp_date( (string) get_option( 'date_format' ), $unix_seconds ), (string) wp_date( (string) get_option( 'time_format' ), $unix_seconds ) );
	}

	/** For the attribute datetime. */
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
