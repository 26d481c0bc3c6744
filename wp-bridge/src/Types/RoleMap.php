<?php
/**
 * Which role a customer type brings.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

/** What the merchant chose: for a type a role, and what becomes of its members' role when the till deletes the type. */
final class RoleMap {

	/** Take the role away from its members. */
	public const TAKE = 'take';
	/** Its members keep the role, until their type becomes another that has a role. */
	public const KEEP = 'keep';

	private const OPTION = 'tillsync_bridge_role_map';

	/** @param array<int, array{role: string, when_deleted: string}> $entries By type. */
	private function __construct( public readonly array $entries ) {}

	/** As saved. */
	public static function saved(): self {
		return self::of( get_option( self::OPTION, array() ) );
	}

	/** As saved by now, perhaps by another process. */
	public static function saved_by_now(): self {
		wp_cache_delete( self::OPTION, 'options' );
		return self::saved();
	}

	/**
	 * Whatever does not have the shape is left out.
	 *
	 * @param mixed $given By type: role, when_deleted.
	 */
	public static function of( $given ): self {
		$entries = array();
		foreach ( is_array( $given ) ? $given : array() as $type_id => $entry ) {
			$role = is_array( $entry ) && is_string( $entry['role'] ?? null ) ? $entry['role'] : '';
			if ( ! is_numeric( $type_id ) || 1 > (int) $type_id || '' === $role ) {
				continue;
			}
			$entries[ (int) $type_id ] = array(
				'role'         => $role,
				'when_deleted' => self::KEEP === ( $entry['when_deleted'] ?? '' ) ? self::KEEP : self::TAKE,
			);
		}
		ksort( $entries );
		return new self( $entries );
	}

	/**
	 * The mappings whose role may not be given, with the reason.
	 *
	 * @return array<int, string> By type.
	 */
	public function problems( RoleRules $rules ): array {
		$problems = array();
		foreach ( $this->entries as $type_id => $entry ) {
			$problems[ $type_id ] = $rules->problem( $entry['role'] );
		}
		return array_filter( $problems, 'is_string' );
	}

	public function save(): void {
		update_option( self::OPTION, $this->entries, false );
	}

	/** @return int[] */
	public function type_ids(): array {
		return array_keys( $this->entries );
	}

	public function role_of( ?int $type_id ): ?string {
		return null === $type_id ? null : $this->entries[ $type_id ]['role'] ?? null;
	}

	public function keeps_when_deleted( ?int $type_id ): bool {
		return null !== $type_id && self::KEEP === ( $this->entries[ $type_id ]['when_deleted'] ?? self::TAKE );
	}
}
