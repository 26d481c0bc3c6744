<?php
/**
 * The record of roles that we gave.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;
use WP_User;

/**
 * Gateway of `{prefix}tillsync_role_grant`: one role a user. It is written before the role is given and deleted after the role is taken,
 * so a process that stops in between leaves a record too many, which the next look puts right, and never a role without its record.
 */
class RoleGrants {

	public function __construct( private readonly Database $database, private readonly Tables $tables, private readonly Clock $clock ) {}

	/**
	 * @return array{role: string, type_id: int}|null Null: this user has no role from us.
	 * @throws DatabaseError
	 */
	public function find( int $user_id ): ?array {
		$row = $this->database->rows( "SELECT role, type_id FROM {$this->name()} WHERE user_id = %d", array( $user_id ) )[0] ?? null;
		return null === $row ? null : array( 'role' => (string) $row['role'], 'type_id' => (int) $row['type_id'] );
	}

	/** @throws DatabaseError */
	public function record( int $user_id, string $role, int $type_id ): void {
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id, role, type_id, granted_at) VALUES (%d, %s, %d, %d) ON DUPLICATE KEY UPDATE role = VALUES(role), type_id = VALUES(type_id)",
			array( $user_id, $role, $type_id, $this->clock->now() )
		);
	}

	/** @throws DatabaseError */
	public function forget( int $user_id ): void {
		$this->database->write( "DELETE FROM {$this->name()} WHERE user_id = %d", array( $user_id ) );
	}

	/** @throws DatabaseError */
	public function count(): int {
		return (int) $this->database->value( "SELECT COUNT(*) FROM {$this->name()}" );
	}

	/**
	 * Takes a role from a user. When its definition is gone, the user still carries its name as a capability, and would have the role
	 * again as soon as it is defined again: WP_User::remove_role() does not see it.
	 */
	public static function take( WP_User $user, string $role ): void {
		if ( in_array( $role, $user->roles, true ) ) {
			$user->remove_role( $role );
		} elseif ( isset( $user->caps[ $role ] ) ) {
			$user->remove_cap( $role );
		}
	}

	/**
	 * Takes back every role that we gave on this site, and forgets it. For uninstallation: needs no WooCommerce.
	 *
	 * @throws DatabaseError
	 */
	public function take_all_back(): void {
		while ( array() !== ( $rows = $this->database->rows( "SELECT user_id, role FROM {$this->name()} ORDER BY user_id LIMIT 200" ) ) ) { // phpcs:ignore
			foreach ( $rows as $row ) {
				$user = get_userdata( (int) $row['user_id'] );
				if ( $user instanceof WP_User ) {
					self::take( $user, (string) $row['role'] );
				}
				$this->forget( (int) $row['user_id'] );
			}
		}
	}

	private function name(): string {
		return $this->tables->role_grant();
	}
}
