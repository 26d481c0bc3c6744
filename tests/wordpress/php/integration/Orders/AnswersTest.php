<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\Answers;
use Tillsync\Bridge\Orders\OrderColumn;
use Tillsync\Bridge\Orders\OrderPanel;
use Tillsync\Bridge\Orders\Outbox;

require_once __DIR__ . '/../BridgeTestCase.php';

final class AnswersTest extends BridgeTestCase {
	private function answers(): Answers {
		return $this->services->get( Answers::class );
	}

	private static function answer( string $state = Answer::PROCESSED, string $comment = 'Matched by email', string $customer = '41', array $notes = array() ): Answer {
		return new Answer( 'e1', $state, 'OUTCOME_MATCHED_EMAIL', $comment, $notes, array(), $customer );
	}

	/** @return string[] */
	private static function notes( int $order_id ): array {
		return array_map( static fn( $note ) => $note->content, wc_get_order_notes( array( 'order_id' => $order_id ) ) );
	}

	public function test_an_answer_is_stored_with_the_order_and_noted_once(): void {
		$order  = $this->order();
		$before = count( self::notes( $order->get_id() ) );
		foreach ( array( 1, 2, 3 ) as $again ) {
			$this->answers()->store( $order->get_id(), self::answer() );
		}
		$this->assertEquals( self::answer(), $this->answers()->of( wc_get_order( $order->get_id() ) ) );
		$this->assertCount( $before + 1, self::notes( $order->get_id() ) );
		$this->assertStringContainsString( 'Matched by email', implode( self::notes( $order->get_id() ) ) );
		$this->answers()->store( $order->get_id(), self::answer( Answer::PROCESSED, 'Matched to the linked customer', '42' ) );
		$this->assertCount( $before + 2, self::notes( $order->get_id() ) );
		$this->assertCount( 1, wc_get_order( $order->get_id() )->get_meta( Answers::META, false ) );
	}

	public function test_an_answer_is_stored_as_one_text_and_an_array_of_release_0_1_0_is_read(): void {
		$order  = $this->order();
		$answer = self::answer( Answer::HELD, 'a "quoted" \\ comment: é, 🛒 and </p>', '0', array( 'note \'one\'', 'C:\\new' ) );
		$this->answers()->store( $order->get_id(), $answer );
		wp_cache_flush();
		$this->assertIsString( wc_get_order( $order->get_id() )->get_meta( Answers::META ) );
		$this->assertEquals( $answer, $this->answers()->of( wc_get_order( $order->get_id() ) ) );
		$older = $this->order();
		$older->update_meta_data( Answers::META, array( 'order_id' => $older->get_id(), 'at' => 5 ) + $answer->to_stored() );
		$older->save_meta_data();
		$this->assertEquals( $answer, $this->answers()->of( wc_get_order( $older->get_id() ) ) );
		$this->assertSame( 5, $this->answers()->stored_at( wc_get_order( $older->get_id() ) ) );
	}

	public function test_an_undecided_order_gets_no_note(): void {
		$order  = $this->order();
		$before = count( self::notes( $order->get_id() ) );
		$this->answers()->store( $order->get_id(), self::answer( Answer::PENDING, 'Customer Endpoint Point call api failed', '0' ) );
		$this->assertCount( $before, self::notes( $order->get_id() ) );
	}

	public function test_storing_an_answer_fires_no_update_of_the_order(): void {
		$order   = $this->aged( $this->order(), 600 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		$this->answers()->store( $order->get_id(), self::answer() );
		$this->assertCount( 0, $updates );
	}

	public function test_an_answer_that_was_copied_from_another_order_is_ignored(): void {
		$order = $this->order();
		$this->answers()->store( $order->get_id(), self::answer() );
		$renewal = $this->order();
		$renewal->update_meta_data( Answers::META, wc_get_order( $order->get_id() )->get_meta( Answers::META ) );
		$renewal->save();
		$this->assertNull( $this->answers()->of( wc_get_order( $renewal->get_id() ) ) );
		$this->answers()->store( $renewal->get_id(), self::answer( Answer::PROCESSED, 'Customer created', '77' ) );
		$this->assertSame( '77', $this->answers()->of( wc_get_order( $renewal->get_id() ) )->epos_customer_id );
		$this->assertCount( 1, wc_get_order( $renewal->get_id() )->get_meta( Answers::META, false ) );
	}

	public function test_storing_an_answer_merges_two_rows_of_concurrent_first_writes(): void {
		$id = $this->order()->get_id();
		foreach ( array( wc_get_order( $id ), wc_get_order( $id ) ) as $object ) {
			$object->add_meta_data( Answers::META, array( 'order_id' => $id, 'state' => 'ENTRY_STATE_PENDING' ), false );
			$object->save_meta_data();
		}
		$this->answers()->store( $id, self::answer() );
		wp_cache_flush();
		$this->assertCount( 1, wc_get_order( $id )->get_meta( Answers::META, false ) );
		$this->assertEquals( self::answer(), $this->answers()->of( wc_get_order( $id ) ) );
	}

	public function test_no_answer_is_stored_for_a_deleted_order(): void {
		$this->answers()->store( 987654, self::answer() );
		$this->assertFalse( wc_get_order( 987654 ) );
	}

	public function test_the_panel_shows_the_comment_unchanged_and_escaped(): void {
		$order = $this->order();
		$this->connect();
		$panel = $this->services->get( OrderPanel::class );
		$this->assertStringContainsString( 'not sent', $panel->html( $order ) );
		$this->services->get( Outbox::class )->add( $order->get_id() );
		$this->assertStringContainsString( 'Will be sent at', $panel->html( $order ) );
		$this->answers()->store( $order->get_id(), self::answer( Answer::HELD, 'We could not <script>', '0', array( '3 & 4' ) ) );
		$html = $panel->html( wc_get_order( $order->get_id() ) );
		$this->assertStringContainsString( 'We could not &lt;script&gt;', $html );
		$this->assertStringContainsString( '3 &amp; 4', $html );
		$this->assertStringNotContainsString( '<script', $html );
		$this->assertStringContainsString( 'Needs review', $html );
	}

	public function test_both_order_lists_have_the_column_for_managers_only(): void {
		foreach ( array( 'manage_edit-shop_order_columns', 'manage_woocommerce_page_wc-orders_columns' ) as $filter ) {
			wp_set_current_user( $this->user( 'customer' ) );
			$this->assertArrayNotHasKey( 'tillsync', apply_filters( $filter, array( 'order_status' => 'Status', 'order_total' => 'Total' ) ) );
			wp_set_current_user( $this->user( 'shop_manager' ) );
			$this->assertSame( array( 'order_status', 'tillsync', 'order_total' ), array_keys( apply_filters( $filter, array( 'order_status' => 'Status', 'order_total' => 'Total' ) ) ) );
		}
		$order = $this->order();
		$this->answers()->store( $order->get_id(), self::answer() );
		ob_start();
		do_action( 'manage_woocommerce_page_wc-orders_custom_column', 'tillsync', wc_get_order( $order->get_id() ) );
		do_action( 'manage_shop_order_posts_custom_column', 'tillsync', $order->get_id() );
		do_action( 'manage_shop_order_posts_custom_column', 'order_total', $order->get_id() );
		$this->assertSame( 2, substr_count( (string) preg_replace( '/<[^>]+>/', '', (string) ob_get_clean() ), 'Done 41' ) );
	}
}
