<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use ActionScheduler;
use Exception;
use Tillsync\Tests\SiteTestCase;

/** Covers `unique`, failed actions, arguments, recurring actions and unscheduling. */
final class ActionSchedulerTest extends SiteTestCase {
	private const HOOK = 'tillsync_conformance_work';

	/** Action Scheduler compares arguments too since 4.0, and did not before. So no call of the plugin depends on them. */
	public function test_unique_compares_hook_and_group(): void {
		$this->assertGreaterThan( 0, as_enqueue_async_action( self::HOOK, array( 1 ), 'one', true ) );
		$this->assertSame( 0, as_enqueue_async_action( self::HOOK, array( 1 ), 'one', true ) );
		$this->assertGreaterThan( 0, as_enqueue_async_action( self::HOOK, array( 1 ), 'two', true ) );
		$this->assertGreaterThan( 0, as_enqueue_async_action( self::HOOK, array( 1 ), 'one', false ) );
	}

	public function test_unique_refuses_while_the_action_runs(): void {
		$answers = array();
		add_action(
			self::HOOK,
			static function () use ( &$answers ): void {
				if ( $answers ) {
					return; // If the action was accepted unexpectedly, this ends the loop.
				}
				$answers[] = as_enqueue_async_action( self::HOOK, array(), 'one', true );
				$answers[] = as_has_scheduled_action( self::HOOK, null, 'one' );
				$answers[] = as_next_scheduled_action( self::HOOK, null, 'one' );
			}
		);
		as_enqueue_async_action( self::HOOK, array(), 'one', true );
		ActionScheduler::runner()->run();
		$this->assertSame( array( 0, true, true ), $answers );
		$this->assertGreaterThan( 0, as_enqueue_async_action( self::HOOK, array(), 'one', true ), 'and no longer, once it has run' );
	}

	public function test_a_failed_action_is_not_retried(): void {
		$runs = 0;
		add_action(
			self::HOOK,
			static function () use ( &$runs ): void {
				++$runs;
				throw new Exception( 'of the action' );
			}
		);
		as_enqueue_async_action( self::HOOK, array(), 'one' );
		ActionScheduler::runner()->run();
		ActionScheduler::runner()->run();
		$this->assertSame( 1, $runs );
		$this->assertFalse( as_has_scheduled_action( self::HOOK, null, 'one' ) );
		$this->assertCount( 1, as_get_scheduled_actions( array( 'hook' => self::HOOK, 'status' => 'failed' ), 'ids' ) );
	}

	public function test_an_action_that_is_not_due_does_not_run(): void {
		$calls = $this->calls_of( self::HOOK );
		as_schedule_single_action( time() + 600, self::HOOK, array(), 'one' );
		ActionScheduler::runner()->run();
		$this->assertCount( 0, $calls );
		$this->assertEqualsWithDelta( time() + 600, as_next_scheduled_action( self::HOOK ), 2 );
	}

	public function test_arguments_are_passed_by_position(): void {
		$calls = $this->calls_of( self::HOOK );
		as_schedule_single_action( time() - 1, self::HOOK, array( 'a' => 1, 'b' => 'two' ), 'one' );
		ActionScheduler::runner()->run();
		$this->assertSame( array( array( 1, 'two' ) ), $calls->getArrayCopy() );
	}

	public function test_a_recurring_action_is_scheduled_again_after_it_ran(): void {
		as_schedule_recurring_action( time() - 1, 3600, self::HOOK, array(), 'one', true );
		ActionScheduler::runner()->run();
		$this->assertEqualsWithDelta( time() + 3600, as_next_scheduled_action( self::HOOK, null, 'one' ), 5 );
	}

	public function test_unscheduling_without_arguments_removes_all_actions_of_the_hook_or_group(): void {
		as_schedule_single_action( time() + 60, self::HOOK, array( 1 ), 'one' );
		as_schedule_single_action( time() + 60, self::HOOK . '_other', array( 2 ), 'one' );
		as_unschedule_all_actions( self::HOOK );
		$this->assertFalse( as_has_scheduled_action( self::HOOK ) );
		$this->assertTrue( as_has_scheduled_action( self::HOOK . '_other' ) );
		as_unschedule_all_actions( '', array(), 'one' );
		$this->assertFalse( as_has_scheduled_action( self::HOOK . '_other' ) );
	}

	public function test_unscheduling_one_action_needs_its_arguments(): void {
		as_schedule_single_action( time() + 60, self::HOOK, array( 1 ), 'one' );
		as_unschedule_action( self::HOOK, array( 2 ), 'one' );
		$this->assertTrue( as_has_scheduled_action( self::HOOK ) );
		as_unschedule_action( self::HOOK, array( 1 ), 'one' );
		$this->assertFalse( as_has_scheduled_action( self::HOOK ) );
	}

	public function test_pending_actions_are_found_by_their_time_and_cancelled_by_id(): void {
		$now = time();
		$ids = array();
		foreach ( array( 60, 120, 180 ) as $seconds ) {
			$ids[] = as_schedule_single_action( $now + $seconds, self::HOOK, array(), 'one' );
		}
		$find = static fn( string $compare, string $status = 'pending' ) => array_map( 'intval', as_get_scheduled_actions( array( 'hook' => self::HOOK, 'group' => 'one', 'status' => $status, 'date' => '@' . ( $now + 120 ), 'date_compare' => $compare ), 'ids' ) );
		$this->assertSame( array( array( $ids[0] ), array( $ids[0], $ids[1] ), array( $ids[2] ) ), array( $find( '<' ), $find( '<=' ), $find( '>' ) ) );
		ActionScheduler::store()->cancel_action( (string) $ids[2] );
		$this->assertSame( array( array(), array( $ids[0], $ids[1] ) ), array( $find( '>' ), $find( '<=' ) ) );
		ActionScheduler::store()->cancel_action( '999999' );
	}
}
