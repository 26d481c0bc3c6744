<?php
/**
 * The mapping of customer types to roles.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

/** The merchant's choice: a role for a type, and what happens to its members' role when the till deletes the type. */
final class RoleMap {

	/** The members lose the role. */
	public const TAKE = 'take';
	/** The members keep the role until their type changes to another one with a role. */
	public const KEEP = 'keep';

	private const OPTION = 'tillsync_bridge_role_map';

	/** @param array<int, array{role: string, when_deleted: string}> $entries Mappings by type. */
	private function __construct( public readonly array $entries ) {}

	/** Returns the saved mapping. */
	public static function saved(): self {
		return self::of( get_option( self::OPTION, array() ) );
	}

	/** Returns the mapping that another process may have saved since the first read. */
	public static function saved_by_now(): self {
		wp_cache_delete( self::OPTION, 'options' );
		return self::saved();
	}

	/**
	 * Reads a mapping. Malformed entries are dropped.
	 *
	 * @param mixed $given Entries with role and when_deleted, by type.
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
	 * Returns why a mapping's role must not be granted.
	 *
	 * @return array<int, string> Reasons by type.
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
