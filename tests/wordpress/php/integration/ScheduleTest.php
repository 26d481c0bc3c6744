<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Schedule;

/** Schedule keeps one pending action a hook, at the earliest requested time. */
final class ScheduleTest extends SiteTestCase {
	/** @return array{0: int, 1: int|bool} Number of pending actions, and the time of the next one. */
	private static function waiting( string $hook = Schedule::DRAIN ): array {
		$ids = as_get_scheduled_actions( array( 'hook' => $hook, 'group' => Schedule::GROUP, 'status' => 'pending', 'per_page' => 50 ), 'ids' );
		return array( count( $ids ), as_next_scheduled_action( $hook, array(), Schedule::GROUP ) );
	}

	protected function setUp(): void {
		parent::setUp();
		Schedule::clear_all();
	}

	public function test_an_earlier_time_replaces_a_later_one_and_a_later_one_changes_nothing(): void {
		$now = time();
		foreach ( array( array( 300, 300 ), array( 45, 45 ), array( 600, 45 ), array( 45, 45 ), array( 5, 5 ), array( 0, 0 ), array( 5, 0 ) ) as list( $wanted, $next ) ) {
			$this->assertTrue( Schedule::at( $now + $wanted, Schedule::DRAIN ) );
			$this->assertSame( array( 1, $now + $next ), self::waiting() );
		}
	}

	public function test_cron_drains_at_the_earliest_requested_time(): void {
		$now = time();
		foreach ( array( array( 30, 30 ), array( 300, 30 ), array( 7200, 30 ), array( 5, 5 ), array( 0, 0 ), array( 30, 0 ) ) as list( $wanted, $next ) ) {
			Schedule::due_at( $now + $wanted );
			$this->assertSame( $now + $next, wp_next_scheduled( Schedule::DUE ) );
		}
		$this->assertCount( 1, array_filter( _get_cron_array(), static fn( array $hooks ) => isset( $hooks[ Schedule::DUE ] ) ) );
		Schedule::clear_all();
		$this->assertFalse( wp_next_scheduled( Schedule::DUE ) );
	}

	public function test_actions_of_other_hooks_and_groups_are_not_changed(): void {
		$now = time();
		as_schedule_single_action( $now + 100, Schedule::DRAIN, array(), 'of-another-plugin' );
		Schedule::at( $now + 200, Schedule::ROLES );
		Schedule::at( $now + 300, Schedule::DRAIN );
		Schedule::at( $now + 50, Schedule::DRAIN );
		$this->assertSame( array( 1, $now + 50 ), self::waiting() );
		$this->assertSame( array( 1, $now + 200 ), self::waiting( Schedule::ROLES ) );
		$this->assertSame( $now + 100, as_next_scheduled_action( Schedule::DRAIN, array(), 'of-another-plugin' ) );
	}

	public function test_an_action_can_schedule_its_next_run_while_it_runs(): void {
		$now = time();
		remove_all_actions( Schedule::DRAIN );
		add_action( Schedule::DRAIN, static fn() => Schedule::at( $now + 30, Schedule::DRAIN ) );
		Schedule::at( $now, Schedule::DRAIN );
		\ActionScheduler::runner()->run();
		$this->assertSame( array( 1, $now + 30 ), self::waiting() );
	}

	public function test_the_earlier_of_two_concurrently_scheduled_actions_stays(): void {
		$now = time();
		// Another process schedules this between the check and the action of this one.
		$other = static function ( $pre, $time ) use ( &$other, $now ) {
			remove_filter( 'pre_as_schedule_single_action', $other );
			as_schedule_single_action( $now + 5, Schedule::DRAIN, array(), Schedule::GROUP );
			return $pre;
		};
		add_filter( 'pre_as_schedule_single_action', $other, 10, 2 );
		Schedule::at( $now + 60, Schedule::DRAIN );
		$this->assertSame( array( 1, $now + 5 ), self::waiting() );
	}
}
