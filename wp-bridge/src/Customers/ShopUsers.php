<?php
/**
 * Users of this site.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Types\RoleGrants;

/**
 * Finds users that are customers of this site. On a network a user belongs to some sites only, and WooCommerce finds no customer of another
 * site.
 */
final class ShopUsers {

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Database $database,
		private readonly RoleGrants $grants,
		private readonly CustomerTable $customers
	) {}

	/**
	 * Returns the registration times of the users that exist (unix seconds, or RegistrationTime::UNKNOWN), in one query.
	 *
	 * @param int[] $user_ids At most 500.
	 * @return array<int, int> Times by user id.
	 * @throws DatabaseError
	 */
	public function existing( array $user_ids ): array {
		$list = Database::ids( $user_ids );
		if ( is_multisite() ) {
			$sql    = "SELECT DISTINCT u.ID AS id, u.user_registered AS registered FROM {$this->wpdb->users} u JOIN {$this->wpdb->usermeta} m ON m.user_id = u.ID AND m.meta_key = %s WHERE u.ID IN ({$list})";
			$values = array( $this->wpdb->get_blog_prefix() . 'capabilities' );
		} else {
			$sql    = "SELECT ID AS id, user_registered AS registered FROM {$this->wpdb->users} WHERE ID IN ({$list})";
			$values = array();
		}
		$existing = array();
		foreach ( $this->database->rows( $sql, $values ) as $row ) {
			$existing[ (int) $row['id'] ] = RegistrationTime::seconds( $row['registered'] );
		}
		return $existing;
	}

	/** @param mixed $user_id The hook's argument. */
	public function forget( $user_id = 0 ): void {
		if ( is_numeric( $user_id ) && 0 < (int) $user_id ) {
			$this->customers->forget( (int) $user_id );
			$this->grants->forget( (int) $user_id );
		}
	}
}
