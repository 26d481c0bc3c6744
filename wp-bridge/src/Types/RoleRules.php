<?php
/**
 * Rules about roles and protected users.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use WP_User;

/**
 * Anyone who can edit customers at the till decides who has a type. So a role may be granted only if it can do nothing in this shop: all
 * its capabilities must be on a short list. The rule is checked when a mapping is saved and at each grant, because other plugins change
 * roles.
 */
class RoleRules {

	/** Capabilities of a subscriber or a customer. */
	private const ALLOWED = array( 'read', 'level_0' );

	/** Capabilities that no filter can allow: verbs of managing a site, and all capabilities that WordPress gives to staff. */
	private const NEVER = '/^(?:(?:activate|add|assign|create|delete|edit|export|import|install|list|manage|moderate|promote|publish|remove|resume|setup|switch|unfiltered|update|upload|upgrade|view_site|customize|erase|read_private)(?:_|$)|level_[1-9]|level_10|administrator|super_admin)/';

	/** A user with one of these capabilities is protected: the plugin changes no role. */
	private const PROTECTED = array( 'manage_woocommerce', 'edit_posts', 'edit_users', 'manage_options' );

	public function __construct( private readonly Log $log ) {}

	/**
	 * Returns the capabilities that a role may have.
	 *
	 * @return string[]
	 */
	public function allowed_capabilities(): array {
		$added = SafeCall::run(
			$this->log,
			'tillsync_role_capabilities_allowed',
			static function () {
				/**
				 * Filters the capabilities that a role may have to be granted with a customer type, for example "view_wholesale_prices" of
				 * a wholesale plugin. Capabilities that manage a site (edit_…, delete_…, manage_… and similar) are refused even if they are
				 * added here.
				 *
				 * @param string[] $capabilities Default: "read" and "level_0".
				 */
				return apply_filters( 'tillsync_role_capabilities_allowed', self::ALLOWED );
			}
		);
		$added = is_array( $added ) ? array_filter( $added, 'is_string' ) : array();
		return array_values( array_filter( array_unique( array_merge( self::ALLOWED, $added ) ), static fn( string $name ) => ! preg_match( self::NEVER, $name ) ) );
	}

	/** Returns why a role cannot be granted, or null. */
	public function problem( string $role ): ?string {
		$found = '' === $role ? null : wp_roles()->get_role( $role );
		if ( null === $found ) {
			return __( 'This role does not exist any more.', 'tillsync-bridge' );
		}
		$refused = array_diff( array_map( 'strval', array_keys( array_filter( $found->capabilities ) ) ), $this->allowed_capabilities() );
		if ( array() !== $refused ) {
			/* translators: %s: names of capabilities */
			return sprintf( __( 'This role can do more than a customer may: %s.', 'tillsync-bridge' ), implode( ', ', array_slice( $refused, 0, 3 ) ) . ( 3 < count( $refused ) ? ', …' : '' ) );
		}
		return null;
	}

	/**
	 * Tells whether a user is staff. Capabilities of the granted role do not count: a role that was widened since must be revoked.
	 *
	 * @param string|null $given_role The role that the plugin granted to the user.
	 */
	public function is_protected( WP_User $user, ?string $given_role ): bool {
		if ( is_multisite() && is_super_admin( $user->ID ) ) {
			return true;
		}
		$can = array();
		foreach ( array_diff( $user->roles, array( $given_role ) ) as $role ) {
			$found = wp_roles()->get_role( $role );
			$can  += null === $found ? array() : array_filter( $found->capabilities );
		}
		// Capabilities of the user alone are separate from the roles.
		$can += array_filter( $user->caps );
		if ( array() !== array_intersect_key( $can, array_flip( self::PROTECTED ) ) ) {
			return true;
		}
		if ( null !== $given_role ) {
			return false;
		}
		// Other plugins grant capabilities by a filter.
		foreach ( self::PROTECTED as $name ) {
			if ( $user->has_cap( $name ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Returns the roles that may be chosen, as translated names by slug, and the refused ones with the reason.
	 *
	 * @return array{allowed: array<string, string>, refused: array<string, array{name: string, reason: string}>}
	 */
	public function choices(): array {
		$choices = array( 'allowed' => array(), 'refused' => array() );
		foreach ( wp_roles()->get_names() as $role => $name ) {
			$name    = translate_user_role( (string) $name );
			$problem = $this->problem( (string) $role );
			if ( null === $problem ) {
				$choices['allowed'][ (string) $role ] = $name;
			} else {
				$choices['refused'][ (string) $role ] = array( 'name' => $name, 'reason' => $problem );
			}
		}
		return $choices;
	}
}
