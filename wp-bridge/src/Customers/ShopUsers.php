<?php
/**
 * Which users are customers of this site.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Database;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\NotStored;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;
use Tillsync\Bridge\Types\RoleGrants;

/** On a network a user belongs to some sites only, and WooCommerce knows no customer who does not belong to this one. */
final class ShopUsers implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'deleted_user', Guarded::action( $this->services, 'deleted_user', fn( $user_id = 0 ) => $this->forget( $user_id ) ) );
		add_action( 'remove_user_from_blog', Guarded::action( $this->services, 'remove_user_from_blog', fn( $user_id = 0 ) => $this->forget( $user_id ) ) );
	}

	/**
	 * Those of the ids that are there, with the time they registered (unix seconds, or Registered::UNKNOWN), in one query.
	 *
	 * @param int[] $user_ids At most 500.
	 * @return array<int, int> By id.
	 * @throws NotStored
	 */
	public function existing( array $user_ids ): array {
		$wpdb = $this->services->database();
		$list = Database::ids( $user_ids );
		if ( is_multisite() ) {
			$sql    = "SELECT DISTINCT u.ID AS id, u.user_registered AS registered FROM {$wpdb->users} u JOIN {$wpdb->usermeta} m ON m.user_id = u.ID AND m.meta_key = %s WHERE u.ID IN ({$list})";
			$values = array( $wpdb->get_blog_prefix() . 'capabilities' );
		} else {
			$sql    = "SELECT ID AS id, user_registered AS registered FROM {$wpdb->users} WHERE ID IN ({$list})";
			$values = array();
		}
		$existing = array();
		foreach ( $this->services->get( Database::class )->rows( $sql, $values ) as $row ) {
			$existing[ (int) $row['id'] ] = Registered::seconds( $row['registered'] );
		}
		return $existing;
	}

	/** @param mixed $user_id Whatever the hook was fired with. */
	private function forget( $user_id ): void {
		if ( is_numeric( $user_id ) && 0 < (int) $user_id ) {
			$this->services->customers()->forget( (int) $user_id );
			$this->services->get( RoleGrants::class )->forget( (int) $user_id );
		}
	}
}
