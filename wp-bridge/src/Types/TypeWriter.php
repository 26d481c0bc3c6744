<?php
/**
 * The writer of customer types.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;

/** Stores a type from the service. The newest version wins, and a late write gets the stored version. */
class TypeWriter {

	public function __construct(
		private readonly RoleRun $role_run,
		private readonly TypeTable $types,
		private readonly CustomerTable $customers,
		private readonly Log $log
	) {}

	/**
	 * @return array<string, string> status, and for `stale` also version.
	 * @throws DatabaseError
	 */
	public function write( CustomerType $type ): array {
		$before = $this->types->read( $type->type_id );
		// A removal without a row changes no values and still stores a tombstone.
		$is_same = null === $before ? $type->removed : $before->equals( $type );
		if ( null !== $before && $type->version <= $before->version ) {
			return $type->version === $before->version && $is_same ? array( 'status' => 'unchanged' ) : self::stale( $before );
		}
		$this->types->store( $type );
		$after = $this->types->read( $type->type_id );
		if ( null !== $after && $after->version > $type->version ) {
			return self::stale( $after );
		}
		if ( $is_same ) {
			return array( 'status' => 'unchanged' );
		}
		$this->after_change( $type, $before );
		return array( 'status' => 'updated' );
	}

	private function after_change( CustomerType $type, ?CustomerType $before ): void {
		if ( $type->removed || null === $before || $before->removed ) {
			$this->customers->mark_for_check( array( $type->type_id ) );
			$this->role_run->start();
		}
		SafeCall::run(
			$this->log,
			'tillsync_customer_type_updated',
			static function () use ( $type ): void {
				/**
				 * Fires after a customer type of the till has changed or was deleted.
				 *
				 * @param int                  $type_id Id of the type.
				 * @param array<string, mixed> $values  name, discount (percent, a decimal as text), description, removed (true: deleted at the till).
				 */
				do_action( 'tillsync_customer_type_updated', $type->type_id, array( 'name' => $type->name, 'discount' => $type->discount, 'description' => $type->description, 'removed' => $type->removed ) );
			}
		);
	}

	/** @return array{status: string, version: string} */
	private static function stale( CustomerType $stored ): array {
		return array( 'status' => 'stale', 'version' => (string) $stored->version );
	}
}
