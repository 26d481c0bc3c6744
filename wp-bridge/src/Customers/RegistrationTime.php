<?php
/**
 * Registration times of users.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use DateTimeImmutable;
use DateTimeZone;

/**
 * WordPress may assign a user id again (a restored backup, older MySQL). Id and registration time together identify the person. Times are
 * unix seconds. UNKNOWN means that WordPress has no registration time.
 */
final class RegistrationTime {

	public const UNKNOWN = 0;

	/** @param mixed $stored WordPress's user_registered: a MySQL datetime in UTC. */
	public static function seconds( $stored ): int {
		$time = is_string( $stored ) ? DateTimeImmutable::createFromFormat( '!Y-m-d H:i:s', $stored, new DateTimeZone( 'UTC' ) ) : false;
		// PHP parses MySQL's zero date as a day of the year before.
		return false === $time || $time->format( 'Y-m-d H:i:s' ) !== $stored || 1 > (int) $time->format( 'Y' ) ? self::UNKNOWN : $time->getTimestamp();
	}

	/**
	 * Tells whether a link of the service belongs to another person than the user who has its id now.
	 *
	 * @param array<string, mixed> $link A Link message.
	 */
	public static function is_link_of_another_person( array $link, int $user_id ): bool {
		$linked = is_string( $link['wooRegisteredTime'] ?? null ) ? strtotime( $link['wooRegisteredTime'] ) : false;
		$user   = get_userdata( $user_id );
		$own    = false === $user ? self::UNKNOWN : self::seconds( $user->user_registered );
		return false !== $linked && self::UNKNOWN !== $own && $own !== $linked;
	}

	/** Returns the time in the wire format: RFC 3339 in UTC with whole seconds. */
	public static function text( int $seconds ): string {
		return gmdate( 'Y-m-d\TH:i:s\Z', $seconds );
	}
}
