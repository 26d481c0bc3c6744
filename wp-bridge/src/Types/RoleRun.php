<?php
/**
 * Roles of many customers, in the background.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;

/**
 * Works off the customers whose role is due (a column of their row, set by the very statement that changes their type), in portions of
 * what one background request may take. Any number may run at once and stop anywhere: giving a role twice gives it once, and who is not
 * done stays due. Action Scheduler starts it, cron every minute is the floor.
 */
class RoleRun {

	private const OPTION  = 'tillsync_bridge_role_run';
	private const PORTION = 100;

	/** Customers done within the service's request: a single change at the till shows at once, five hundred wait for the background. */
	private const AT_ONCE = 20;

	public function __construct(
		private readonly RoleSync $role_sync,
		private readonly RoleGrants $grants,
		private readonly CustomerTable $customers,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** Types of customers have changed: some are done now, the rest in the background. */
	public function customers_changed(): void {
		SafeCall::run(
			$this->log,
			'roles of changed customers',
			function (): void {
				$map = RoleMap::saved();
				if ( ! $this->has_work( $map ) || $this->customers->count_due() > self::AT_ONCE ) {
					$this->begin();
					return;
				}
				$this->portion( $map, self::AT_ONCE );
			}
		);
	}

	/**
	 * Everybody whom the saved mapping, or the one before it, concerns is looked at.
	 *
	 * @param int[] $further_type_ids Types that were mapped before.
	 * @throws DatabaseError
	 */
	public function look_at_all( array $further_type_ids = array() ): void {
		$map = RoleMap::saved();
		if ( ! $this->has_work( $map ) ) {
			return;
		}
		$this->customers->make_due( array_merge( $map->type_ids(), $further_type_ids ) );
		$this->begin();
	}

	/** Starts, or goes on, in the background. */
	public function begin(): void {
		$due = $this->customers->count_due();
		if ( 0 === $due || ! $this->has_work( RoleMap::saved() ) ) {
			return;
		}
		$now = $this->clock->now();
		$was = $this->progress();
		// A run that is under way grows.
		$done = $was['running'] ? $was['total'] - $was['left'] : 0;
		$this->keep( array( 'total' => $done + $due, 'changed' => $was['running'] ? $was['changed'] : 0, 'began_at' => $was['running'] ? $was['began_at'] : $now, 'ended_at' => 0 ) );
		Schedule::at( $now, Schedule::ROLES );
	}

	/** One background request's worth. */
	public function run( ?DrainLimits $limits = null ): void {
		if ( ! $this->tables->is_current() ) {
			return;
		}
		$map = RoleMap::saved();
		if ( ! $this->has_work( $map ) ) {
			return;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		while ( 0 < $this->portion( $map, self::PORTION ) ) {
			if ( '' !== $limits->reason_to_stop() ) {
				Schedule::at( $this->clock->now(), Schedule::ROLES );
				return;
			}
			// The merchant may have changed the mapping meanwhile.
			$map = RoleMap::saved_by_now();
		}
	}

	/**
	 * For the screen.
	 *
	 * @return array{running: bool, total: int, left: int, changed: int, began_at: int, ended_at: int}
	 */
	public function progress(): array {
		$kept  = get_option( self::OPTION );
		$kept  = is_array( $kept ) ? $kept : array();
		$begun = 0 < (int) ( $kept['began_at'] ?? 0 ) && 0 === (int) ( $kept['ended_at'] ?? 0 );
		$left  = $begun ? $this->customers->count_due() : 0;
		return array(
			'running'  => $begun,
			'total'    => max( (int) ( $kept['total'] ?? 0 ), $left ),
			'left'     => $left,
			'changed'  => (int) ( $kept['changed'] ?? 0 ),
			'began_at' => (int) ( $kept['began_at'] ?? 0 ),
			'ended_at' => (int) ( $kept['ended_at'] ?? 0 ),
		);
	}

	/**
	 * @return int Customers looked at.
	 * @throws DatabaseError
	 */
	private function portion( RoleMap $map, int $limit ): int {
		$rows    = $this->customers->due( $limit );
		$changed = 0;
		cache_users( array_map( static fn( $row ) => $row->user_id, $rows ) );
		foreach ( $rows as $row ) {
			try {
				$changed += $this->role_sync->apply( $row->user_id, $map )->changes_something() ? 1 : 0;
			} catch ( DatabaseError $error ) {
				throw $error;
			} catch ( Throwable $error ) {
				// A plugin that listens to roles failed over this one: the others go on, and the daily look comes back to it.
				$this->log->failure( "role of customer {$row->user_id}", $error );
			}
			$this->customers->not_due( $row );
		}
		$this->note( count( $rows ), $changed, $limit );
		return count( $rows );
	}

	private function note( int $looked_at, int $changed, int $limit ): void {
		$kept = get_option( self::OPTION );
		if ( ! is_array( $kept ) || 0 !== (int) ( $kept['ended_at'] ?? 0 ) ) {
			return;
		}
		$kept['changed'] = (int) ( $kept['changed'] ?? 0 ) + $changed;
		if ( $looked_at < $limit ) {
			$kept['ended_at'] = $this->clock->now();
		}
		$this->keep( $kept );
	}

	/** @param array<string, int> $progress As kept. */
	private function keep( array $progress ): void {
		update_option( self::OPTION, $progress, false );
	}

	/** Without a mapping and without a role of ours on anybody there is nothing to decide. */
	private function has_work( RoleMap $map ): bool {
		return array() !== $map->entries || 0 < $this->grants->count();
	}
}
