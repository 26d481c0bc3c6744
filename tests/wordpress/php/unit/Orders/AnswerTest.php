<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use PHPUnit\Framework\TestCase;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\RowDelay;

final class AnswerTest extends TestCase {
	public function test_the_answers_of_a_match_and_of_a_poll_are_read_alike(): void {
		$matched = Answer::of( array( 'entry' => array( 'entryId' => 'e1', 'state' => 'ENTRY_STATE_PROCESSED', 'causes' => array( 'OUTCOME_DUPLICATE_EMAIL' ) ), 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'comment' => 'Matched by email', 'notes' => array( 'linked' ), 'eposCustomerId' => '9007199254740993' ) );
		$polled  = Answer::of( array( 'entryId' => 'e1', 'state' => 'ENTRY_STATE_PROCESSED', 'causes' => array( 'OUTCOME_DUPLICATE_EMAIL' ), 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'comment' => 'Matched by email', 'notes' => array( 'linked' ), 'eposCustomerId' => '9007199254740993' ) );
		$this->assertEquals( $matched, $polled );
		$this->assertSame( '9007199254740993', $polled->epos_customer_id );
		$this->assertTrue( $polled->is_final() );
		$this->assertEquals( $polled, Answer::from_stored( $polled->to_stored() ) );
	}

	public function test_fields_that_proto_json_leaves_out_are_empty(): void {
		$answer = Answer::of( array( 'orderId' => '7', 'entryId' => 'e', 'state' => 'ENTRY_STATE_PENDING' ) );
		$this->assertSame( array( '', '', array(), '0' ), array( $answer->outcome, $answer->comment, $answer->notes, $answer->epos_customer_id ) );
		$this->assertFalse( $answer->is_final() );
	}

	/** @dataProvider other_messages */
	public function test_other_messages_are_no_answer( array $message ): void {
		$this->assertNull( Answer::of( $message ) );
	}

	public function other_messages(): array {
		return array( array( array() ), array( array( 'state' => 4 ) ), array( array( 'entry' => 'text' ) ), array( array( 'state' => array( 'ENTRY_STATE_HELD' ) ) ) );
	}

	public function test_held_is_not_final_and_dismissed_is(): void {
		$this->assertFalse( Answer::of( array( 'state' => 'ENTRY_STATE_HELD' ) )->is_final() );
		$this->assertTrue( Answer::of( array( 'state' => 'ENTRY_STATE_DISMISSED' ) )->is_final() );
		$this->assertTrue( Answer::of( array( 'state' => 'ENTRY_STATE_SKIPPED' ) )->is_final() );
	}

	public function test_poll_delays_grow_within_bounds(): void {
		$this->assertSame( 5, RowDelay::of_pending( 0 ) );
		$this->assertSame( 900, RowDelay::of_pending( 500 ) );
		$this->assertSame( 21600, RowDelay::of_held( 500 ) );
		foreach ( array( 0 => 60, 3 => 480, 99 => 3600 ) as $attempts => $seconds ) {
			$delay = RowDelay::of_failure( $attempts );
			$this->assertGreaterThanOrEqual( $seconds * 0.9, $delay );
			$this->assertLessThanOrEqual( $seconds * 1.1, $delay );
		}
	}
}
