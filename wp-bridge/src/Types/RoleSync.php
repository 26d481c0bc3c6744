<?php
/**
 * Synchronisation of roles with customer types.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Customers\CustomerRow;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;
use WP_User;

/**
 * Grants the role of a customer's type as a second role beside the user's own, never by set_role(). It revokes only roles that the plugin
 * granted, and changes nothing for staff. When another plugin sets a user's role, WordPress replaces all roles. So the plugin grants its
 * role again then, and once a day.
 */
class RoleSync {

	public function __construct(
		private readonly RoleGrants $grants,
		private readonly RoleRules $role_rules,
		private readonly Tables $tables,
		private readonly CustomerTable $customers,
		private readonly TypeTable $types
	) {}

	/** @param mixed $user_id The hook's argument. */
	public function role_was_set( $user_id = 0 ): void {
		if ( ! is_numeric( $user_id ) || 1 > (int) $user_id || ! $this->tables->is_current() ) {
			return;
		}
		$map = RoleMap::saved();
		if ( array() !== $map->entries || null !== $this->grants->find( (int) $user_id ) ) {
			$this->apply( (int) $user_id, $map );
		}
	}

	/**
	 * Applies the decision about a user's role.
	 *
	 * @throws DatabaseError
	 */
	public function apply( int $user_id, RoleMap $map ): RoleDecision {
		$grant    = $this->grants->find( $user_id );
		$user     = get_userdata( $user_id );
		$decision = $this->decide( $user_id, $map );
		if ( RoleDecision::GONE === $decision->kind || ! $user instanceof WP_User ) {
			$this->grants->forget( $user_id );
			return $decision;
		}
		if ( null !== $decision->take ) {
			RoleGrants::revoke( $user, $decision->take );
			$this->grants->forget( $user_id );
		}
		if ( null !== $decision->give ) {
			$this->grants->record( $user_id, $decision->give, $decision->type_id );
			$user->add_role( $decision->give );
		} elseif ( null !== $grant && RoleDecision::UNCHANGED === $decision->kind && $decision->type_id !== $grant['type_id'] ) {
			// The role stays, and another type brings it now.
			$this->grants->record( $user_id, $grant['role'], $decision->type_id );
		} elseif ( null !== $grant && RoleDecision::STAFF === $decision->kind && ! isset( $user->caps[ $grant['role'] ] ) ) {
			// A change of role made the user staff and removed the granted role, so there is nothing to revoke.
			$this->grants->forget( $user_id );
		}
		return $decision;
	}

	/**
	 * Decides what apply() would do with this mapping.
	 *
	 * @throws DatabaseError
	 */
	public function decide( int $user_id, RoleMap $map ): RoleDecision {
		$user = get_userdata( $user_id );
		if ( ! $user instanceof WP_User || ( is_multisite() && ! is_user_member_of_blog( $user_id ) ) ) {
			return new RoleDecision( RoleDecision::GONE );
		}
		$grant      = $this->grants->find( $user_id );
		$given_role = $grant['role'] ?? null;
		if ( $this->role_rules->is_protected( $user, $given_role ) ) {
			return new RoleDecision( RoleDecision::STAFF );
		}
		$row         = $this->customers->find( $user_id );
		$target_role = $this->target_role( $row, $map );
		if ( null === $target_role ) {
			if ( null === $given_role ) {
				return new RoleDecision( RoleDecision::UNCHANGED );
			}
			return null !== $row && $this->may_keep( $map, $grant['type_id'], $given_role )
				? new RoleDecision( RoleDecision::KEPT )
				: new RoleDecision( RoleDecision::CHANGED, null, $given_role );
		}
		$take = null !== $given_role && $given_role !== $target_role ? $given_role : null;
		if ( null !== $this->role_rules->problem( $target_role ) ) {
			return new RoleDecision( RoleDecision::ROLE_WRONG, null, $given_role );
		}
		if ( in_array( $target_role, $user->roles, true ) ) {
			return new RoleDecision( $given_role === $target_role ? RoleDecision::UNCHANGED : RoleDecision::OWN, null, $take, (int) $row->type_id );
		}
		if ( array() === array_diff( $user->roles, array( $given_role ) ) ) {
			// The user needs another role first. On a network this role alone would make the user a member of the site.
			return new RoleDecision( RoleDecision::ONLY_ROLE, null, $take );
		}
		return new RoleDecision( RoleDecision::CHANGED, $target_role, $take, (int) $row->type_id );
	}

	/** Returns the role that the customer's type brings, or null. */
	private function target_role( ?CustomerRow $row, RoleMap $map ): ?string {
		$role = $map->role_of( $row->type_id ?? null );
		if ( null === $row || null === $role ) {
			return null;
		}
		return $this->is_deleted( (int) $row->type_id ) ? null : $role;
	}

	/** Tells whether the user keeps the role because its type was deleted at the till and the merchant chose so. */
	private function may_keep( RoleMap $map, int $granted_for, string $role ): bool {
		return $map->keeps_when_deleted( $granted_for ) && $this->is_deleted( $granted_for ) && null === $this->role_rules->problem( $role );
	}

	private function is_deleted( int $type_id ): bool {
		$type = $this->types->read( $type_id );
		return null !== $type && $type->removed;
	}
}
