<?php
/**
 * The background run of role checks.
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
 * Checks the customers whose role is due, in portions that fit a background request. The statement that changes a customer's type marks the
 * customer's row. Several runs may work at once and stop anywhere: granting a role twice has the effect of once, and an unfinished customer
 * stays due. Action Scheduler starts the run, and a cron event every minute is the fallback.
 */
class RoleRun {

	private const OPTION  = 'tillsync_bridge_role_run';
	private const PORTION = 100;

	/**
	 * Customers checked within the service's request. A single change at the till shows at once, and five hundred wait for the background.
	 */
	private const AT_ONCE = 20;

	public function __construct(
		private readonly RoleSync $role_sync,
		private readonly RoleGrants $grants,
		private readonly CustomerTable $customers,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** Runs after the types of customers have changed. A few customers are checked now, others in the background. */
	public function customers_changed(): void {
		SafeCall::run(
			$this->log,
			'roles of changed customers',
			function (): void {
				$map = RoleMap::saved();
				if ( ! $this->has_work( $map ) || $this->customers->count_due() > self::AT_ONCE ) {
					$this->start();
					return;
				}
				$this->run_portion( $map, self::AT_ONCE );
			}
		);
	}

	/**
	 * Marks all customers of the saved mapping, and of the mapping before it, for a check.
	 *
	 * @param int[] $further_type_ids Types of the mapping before.
	 * @throws DatabaseError
	 */
	public function check_all( array $further_type_ids = array() ): void {
		$map = RoleMap::saved();
		if ( ! $this->has_work( $map ) ) {
			return;
		}
		$this->customers->mark_for_check( array_merge( $map->type_ids(), $further_type_ids ) );
		$this->start();
	}

	/** Starts or continues the run in the background. */
	public function start(): void {
		$due = $this->customers->count_due();
		if ( 0 === $due || ! $this->has_work( RoleMap::saved() ) ) {
			return;
		}
		$now = $this->clock->now();
		$was = $this->progress();
		// New customers are added to a running run.
		$done = $was['running'] ? $was['total'] - $was['left'] : 0;
		$this->store( array( 'total' => $done + $due, 'changed' => $was['running'] ? $was['changed'] : 0, 'began_at' => $was['running'] ? $was['began_at'] : $now, 'ended_at' => 0 ) );
		Schedule::at( $now, Schedule::ROLES );
	}

	/** Runs for the time of one background request. */
	public function run( ?DrainLimits $limits = null ): void {
		if ( ! $this->tables->is_current() ) {
			return;
		}
		$map = RoleMap::saved();
		if ( ! $this->has_work( $map ) ) {
			return;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		while ( 0 < $this->run_portion( $map, self::PORTION ) ) {
			if ( '' !== $limits->reason_to_stop() ) {
				Schedule::at( $this->clock->now(), Schedule::ROLES );
				return;
			}
			// The merchant may have saved another mapping meanwhile.
			$map = RoleMap::saved_by_now();
		}
	}

	/**
	 * Returns the progress for the screen.
	 *
	 * @return array{running: bool, total: int, left: int, changed: int, began_at: int, ended_at: int}
	 */
	public function progress(): array {
		$state = get_option( self::OPTION );
		$state = is_array( $state ) ? $state : array();
		$begun = 0 < (int) ( $state['began_at'] ?? 0 ) && 0 === (int) ( $state['ended_at'] ?? 0 );
		$left  = $begun ? $this->customers->count_due() : 0;
		return array(
			'running'  => $begun,
			'total'    => max( (int) ( $state['total'] ?? 0 ), $left ),
			'left'     => $left,
			'changed'  => (int) ( $state['changed'] ?? 0 ),
			'began_at' => (int) ( $state['began_at'] ?? 0 ),
			'ended_at' => (int) ( $state['ended_at'] ?? 0 ),
		);
	}

	/**
	 * @return int Number of customers checked.
	 * @throws DatabaseError
	 */
	private function run_portion( RoleMap $map, int $limit ): int {
		$rows    = $this->customers->due( $limit );
		$changed = 0;
		cache_users( array_map( static fn( $row ) => $row->user_id, $rows ) );
		foreach ( $rows as $row ) {
			try {
				$changed += $this->role_sync->apply( $row->user_id, $map )->changes_something() ? 1 : 0;
			} catch ( DatabaseError $error ) {
				throw $error;
			} catch ( Throwable $error ) {
				// A hook of another plugin failed for this customer. The run continues, and the daily check returns to this customer.
				$this->log->failure( "role of customer {$row->user_id}", $error );
			}
			$this->customers->mark_checked( $row );
		}
		$this->store_progress( count( $rows ), $changed, $limit );
		return count( $rows );
	}

	private function store_progress( int $looked_at, int $changed, int $limit ): void {
		$state = get_option( self::OPTION );
		if ( ! is_array( $state ) || 0 !== (int) ( $state['ended_at'] ?? 0 ) ) {
			return;
		}
		$state['changed'] = (int) ( $state['changed'] ?? 0 ) + $changed;
		if ( $looked_at < $limit ) {
			$state['ended_at'] = $this->clock->now();
		}
		$this->store( $state );
	}

	/** @param array<string, int> $progress Values of the option. */
	private function store( array $progress ): void {
		update_option( self::OPTION, $progress, false );
	}

	/** Tells whether there is a mapping or a granted role. Without both no role can change. */
	private function has_work( RoleMap $map ): bool {
		return array() !== $map->entries || 0 < $this->grants->count();
	}
}
