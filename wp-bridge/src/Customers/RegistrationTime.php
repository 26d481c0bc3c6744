<?php
/**
 * When a user registered.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use DateTimeImmutable;
use DateTimeZone;

/**
 * A user's number can be given to somebody else (a restored backup, older MySQL). Number and registration time together are the person.
 * Times are unix seconds; UNKNOWN: WordPress has none.
 */
final class RegistrationTime {

	public const UNKNOWN = 0;

	/** @param mixed $stored WordPress' user_registered: a MySQL datetime in UTC. */
	public static function seconds( $stored ): int {
		$time = is_string( $stored ) ? DateTimeImmutable::createFromFormat( '!Y-m-d H:i:s', $stored, new DateTimeZone( 'UTC' ) ) : false;
		// The zero date of MySQL reads as a day of the year before.
		return false === $time || $time->format( 'Y-m-d H:i:s' ) !== $stored || 1 > (int) $time->format( 'Y' ) ? self::UNKNOWN : $time->getTimestamp();
	}

	/**
	 * Whether a link of the service belongs to another person than the user who has its number now.
	 *
	 * @param array<string, mixed> $link A Link.
	 */
	public static function is_of_another( array $link, int $user_id ): bool {
		$linked = is_string( $link['wooRegisteredTime'] ?? null ) ? strtotime( $link['wooRegisteredTime'] ) : false;
		$user   = get_userdata( $user_id );
		$own    = false === $user ? self::UNKNOWN : self::seconds( $user->user_registered );
		return false !== $linked && self::UNKNOWN !== $own && $own !== $linked;
	}

	/** As the wire has it: RFC 3339, UTC, whole seconds. */
	public static function text( int $seconds ): string {
		return gmdate( 'Y-m-d\TH:i:s\Z', $seconds );
	}
}
