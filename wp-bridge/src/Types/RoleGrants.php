<?php
/**
 * The table of granted roles.
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
 * Reads and writes `{prefix}tillsync_role_grant`, one role a user. The row is written before the role is granted and deleted after the role
 * is revoked. A process that stops in between leaves a row too many, which the next check corrects, and never a role without its row.
 */
class RoleGrants {

	public function __construct( private readonly Database $database, private readonly Tables $tables, private readonly Clock $clock ) {}

	/**
	 * @return array{role: string, type_id: int}|null Null without a role granted by the plugin.
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
	 * Revokes a user's role. When the role's definition is deleted, the user still has its name as a capability, and would have the role
	 * again once it is defined again. WP_User::remove_role() does not remove that capability.
	 */
	public static function revoke( WP_User $user, string $role ): void {
		if ( in_array( $role, $user->roles, true ) ) {
			$user->remove_role( $role );
		} elseif ( isset( $user->caps[ $role ] ) ) {
			$user->remove_cap( $role );
		}
	}

	/**
	 * Revokes every role that the plugin granted on this site, and deletes the rows. It serves uninstallation and needs no WooCommerce.
	 *
	 * @throws DatabaseError
	 */
	public function revoke_all(): void {
		while ( array() !== ( $rows = $this->database->rows( "SELECT user_id, role FROM {$this->name()} ORDER BY user_id LIMIT 200" ) ) ) { // phpcs:ignore
			foreach ( $rows as $row ) {
				$user = get_userdata( (int) $row['user_id'] );
				if ( $user instanceof WP_User ) {
					self::revoke( $user, (string) $row['role'] );
				}
				$this->forget( (int) $row['user_id'] );
			}
		}
	}

	private function name(): string {
		return $this->tables->role_grant();
	}
}
