<?php
/**
 * The preview of a role mapping.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\DatabaseError;

/** Decides about the customers of an unsaved mapping without writing anything. */
class RolePreview {

	/** Maximum number of customers to check. With more, the counts cover only these, and the screen says so. */
	private const LOOKED_AT = 1000;
	private const PORTION   = 200;
	private const SHOWN     = 50;

	public function __construct( private readonly RoleSync $role_sync, private readonly CustomerTable $customers ) {}

	/**
	 * @return array{looked_at: int, complete: bool, given: int, taken: int, left_alone: int, people: array<int, array<string, string>>}
	 * @throws DatabaseError
	 */
	public function of( RoleMap $map ): array {
		$type_ids = array_values( array_unique( array_merge( RoleMap::saved()->type_ids(), $map->type_ids() ) ) );
		$found    = array( 'looked_at' => 0, 'complete' => false, 'given' => 0, 'taken' => 0, 'left_alone' => 0, 'people' => array() );
		$after    = 0;
		while ( $found['looked_at'] < self::LOOKED_AT ) {
			$user_ids = $this->customers->members( $type_ids, $after, self::PORTION );
			cache_users( $user_ids );
			foreach ( $user_ids as $user_id ) {
				$this->add( $found, $user_id, $this->role_sync->decide( $user_id, $map ) );
				$after = $user_id;
			}
			if ( self::PORTION > count( $user_ids ) ) {
				$found['complete'] = true;
				break;
			}
		}
		return $found;
	}

	/**
	 * @param array<string, mixed> $found Counts and people; the method adds to them.
	 */
	private function add( array &$found, int $user_id, RoleDecision $decision ): void {
		++$found['looked_at'];
		$found['given'] += null === $decision->give ? 0 : 1;
		$found['taken'] += null === $decision->take ? 0 : 1;
		$is_left_alone   = ! $decision->changes_something() && '' !== $decision->sentence();
		$found['left_alone'] += $is_left_alone ? 1 : 0;
		if ( ( ! $decision->changes_something() && ! $is_left_alone ) || self::SHOWN <= count( $found['people'] ) ) {
			return;
		}
		$user              = get_userdata( $user_id );
		$found['people'][] = array(
			'name'   => false === $user ? "#{$user_id}" : "{$user->display_name} (#{$user_id})",
			'give'   => self::role_name( $decision->give ),
			'take'   => self::role_name( $decision->take ),
			'reason' => $decision->sentence(),
		);
	}

	private static function role_name( ?string $role ): string {
		return null === $role ? '' : translate_user_role( wp_roles()->get_names()[ $role ] ?? $role );
	}
}
