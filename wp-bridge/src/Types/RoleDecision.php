<?php
/**
 * The decision about a user's role.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

/** A decision writes nothing, so a preview shows exactly what a run would do. */
final class RoleDecision {

	public const GONE       = 'gone';
	public const UNCHANGED  = 'unchanged';
	public const CHANGED    = 'changed';
	public const KEPT       = 'kept';
	public const STAFF      = 'staff';
	public const OWN        = 'own';
	public const ONLY_ROLE  = 'only_role';
	public const ROLE_WRONG = 'role_wrong';

	/**
	 * @param string      $kind One of the constants. It gives the reason when the decision changes nothing, or only one part.
	 * @param string|null $give The role to grant.
	 * @param string|null $take The role to revoke, which the plugin granted.
	 * @param int         $type_id The type that brings the role.
	 */
	public function __construct(
		public readonly string $kind,
		public readonly ?string $give = null,
		public readonly ?string $take = null,
		public readonly int $type_id = 0
	) {}

	public function changes_something(): bool {
		return null !== $this->give || null !== $this->take;
	}

	/** Returns the reason for the preview, or an empty text. */
	public function sentence(): string {
		return match ( $this->kind ) {
			self::STAFF      => __( 'Left alone: this user works in the shop.', 'tillsync-bridge' ),
			self::OWN        => __( 'Has this role already, not from us.', 'tillsync-bridge' ),
			self::ONLY_ROLE  => __( 'Left alone: this user has no role in this shop.', 'tillsync-bridge' ),
			self::ROLE_WRONG => __( 'The role cannot be given.', 'tillsync-bridge' ),
			self::KEPT       => __( 'Keeps the role, as chosen: the type was deleted at the till.', 'tillsync-bridge' ),
			self::GONE       => __( 'This user is not there any more.', 'tillsync-bridge' ),
			default          => '',
		};
	}
}
