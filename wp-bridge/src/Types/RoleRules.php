<?php
/**
 * Which roles a customer type may bring, and whom nobody touches.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use WP_User;

/**
 * Whoever can edit customers at the till decides who has a type. So a role is only for the taking if it can do nothing in this shop: all
 * of its capabilities must be on a short list. Checked when a mapping is saved and again each time a role is given, since other plugins
 * change roles.
 */
class RoleRules {

	/** What a subscriber or customer has. */
	private const ALLOWED = array( 'read', 'level_0' );

	/** Never, whatever the filter says: verbs of managing a site, and everything WordPress itself gives to staff. */
	private const NEVER = '/^(?:(?:activate|add|assign|create|delete|edit|export|import|install|list|manage|moderate|promote|publish|remove|resume|setup|switch|unfiltered|update|upload|upgrade|view_site|customize|erase|read_private)(?:_|$)|level_[1-9]|level_10|administrator|super_admin)/';

	/** Who has one of these is left alone. */
	private const PROTECTED = array( 'manage_woocommerce', 'edit_posts', 'edit_users', 'manage_options' );

	public function __construct( private readonly Log $log ) {}

	/**
	 * Capabilities that a role may have.
	 *
	 * @return string[]
	 */
	public function allowed_capabilities(): array {
		$added = SafeCall::run(
			$this->log,
			'tillsync_role_capabilities_allowed',
			static function () {
				/**
				 * Capabilities that a role may have to be given with a customer type, such as "view_wholesale_prices" of a plugin for
				 * wholesale. Those that manage a site (edit_…, delete_…, manage_… and the like) are refused whatever is added here.
				 *
				 * @param string[] $capabilities By default "read" and "level_0".
				 */
				return apply_filters( 'tillsync_role_capabilities_allowed', self::ALLOWED );
			}
		);
		$added = is_array( $added ) ? array_filter( $added, 'is_string' ) : array();
		return array_values( array_filter( array_unique( array_merge( self::ALLOWED, $added ) ), static fn( string $name ) => ! preg_match( self::NEVER, $name ) ) );
	}

	/** Why a role cannot be given; null: it can. */
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
	 * Whether a user is staff. What the role we gave allows does not count: it may have been widened since, and is then to be taken back.
	 *
	 * @param string|null $given_role The role the user has from us.
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
		// Capabilities given to the user alone stand beside the roles.
		$can += array_filter( $user->caps );
		if ( array() !== array_intersect_key( $can, array_flip( self::PROTECTED ) ) ) {
			return true;
		}
		if ( null !== $given_role ) {
			return false;
		}
		// Plugins grant capabilities by filter, too.
		foreach ( self::PROTECTED as $name ) {
			if ( $user->has_cap( $name ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Roles that may be chosen, by slug, with their translated names; and those that may not, with the reason.
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
