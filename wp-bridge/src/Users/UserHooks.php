<?php
/**
 * Hooks for user changes.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Users;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\SilentQueries;
use Tillsync\Bridge\Schema\Tables;
use WP_User;

/**
 * Stores deleted users and changed emails as rows of UserChanges, which the drain reports. It skips users that the service cannot know, so
 * a shop that deletes thousands of spam accounts reports nothing.
 *
 * On a network, wpmu_delete_user() first removes the user from each site. So `remove_user_from_blog` stores the deletion in the tables of
 * each shop that had the user. A deletion from another site does not concern this shop.
 */
final class UserHooks {

	/** @var array<int, int> Registration times of users whose deletion has begun in this request, by id. */
	private array $being_deleted = array();

	public function __construct(
		private readonly UserChanges $changes,
		private readonly SilentQueries $queries,
		private readonly Tables $tables,
		private readonly Log $log
	) {}

	/** @param mixed $user_id The hook's argument. */
	public function before_deletion( $user_id = 0 ): void {
		$user = self::user( $user_id );
		if ( null !== $user && $this->may_be_known( $user->ID ) ) {
			$this->being_deleted[ $user->ID ] = RegistrationTime::seconds( $user->user_registered );
		}
	}

	/** @param mixed $user_id The hook's argument. */
	public function after_deletion( $user_id = 0 ): void {
		if ( is_numeric( $user_id ) && isset( $this->being_deleted[ (int) $user_id ] ) ) {
			$this->store( (int) $user_id, UserChanges::DELETED, $this->being_deleted[ (int) $user_id ] );
			unset( $this->being_deleted[ (int) $user_id ] );
		}
	}

	/** @param mixed $user_id The hook's argument. The hook runs in the site that loses the user. */
	public function removed_from_site( $user_id = 0 ): void {
		$user = self::user( $user_id );
		if ( null !== $user && $this->may_be_known( $user->ID ) ) {
			$this->store( $user->ID, UserChanges::DELETED, RegistrationTime::seconds( $user->user_registered ) );
		}
	}

	/**
	 * @param mixed $user_id The hook's argument.
	 * @param mixed $before  The user before the update.
	 */
	public function updated( $user_id = 0, $before = null ): void {
		$user = self::user( $user_id );
		if ( null === $user || ! isset( $before->user_email ) || self::normalised_email( $user->user_email ) === self::normalised_email( $before->user_email ) ) {
			return;
		}
		if ( ! is_multisite() ) {
			$this->email_changed( $user );
			return;
		}
		foreach ( array_keys( get_blogs_of_user( $user->ID ) ) as $site_id ) {
			switch_to_blog( (int) $site_id );
			try {
				$this->email_changed( $user );
			} finally {
				restore_current_blog();
			}
		}
	}

	private function email_changed( WP_User $user ): void {
		if ( $this->may_be_known( $user->ID ) ) {
			$this->store( $user->ID, UserChanges::EMAIL, RegistrationTime::seconds( $user->user_registered ) );
		}
	}

	/** Normalises an email as the service compares it. */
	public static function normalised_email( string $email ): string {
		return strtolower( trim( $email ) );
	}

	/**
	 * Tells whether the service may know the user: the shop is connected, and has an order of the user, or values from a present or past
	 * link.
	 */
	private function may_be_known( int $user_id ): bool {
		if ( ! get_option( ConnectionStore::ACTIVE ) ) {
			return false;
		}
		$table = $this->tables->customer();
		if ( array() !== ( $this->queries->rows( "SELECT 1 FROM {$table} WHERE user_id = %d", array( $user_id ) ) ?? array() ) ) {
			return true;
		}
		return function_exists( 'wc_get_orders' ) && array() !== (array) wc_get_orders( array( 'customer_id' => $user_id, 'type' => 'shop_order', 'limit' => 1, 'return' => 'ids' ) );
	}

	private function store( int $user_id, string $kind, int $registered ): void {
		if ( ! $this->changes->add( $user_id, $kind, $registered ) ) {
			$this->log->error( "a change of user {$user_id} could not be noted" );
		}
	}

	/** @param mixed $user_id Id of the user. */
	private static function user( $user_id ): ?WP_User {
		$user = is_numeric( $user_id ) ? get_userdata( (int) $user_id ) : false;
		return $user instanceof WP_User ? $user : null;
	}
}
